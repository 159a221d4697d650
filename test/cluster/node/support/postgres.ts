/** One PostgreSQL on the node for the whole run, with a database for each test, which both pods and tests can reach. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import pg from 'pg';

import { eventually, within } from '../../../support/bounded.ts';
import { atEnd } from '../../../support/cleanup.ts';
import { holdKey, type KeyHolder } from '../../../support/holder.ts';
import type { ApiServer } from '../../support/api-server.ts';
import { GATE_KEY } from './releases.ts';

const START_MS = 120_000;

export interface Postgres {
  createDatabase(): Promise<Database>;
}

export class Database {
  /** The URL for pods; with another host they connect through that one. */
  readonly address: (host?: string) => string;
  /** The URL for processes beside the node. */
  readonly local: string;
  readonly #pool: pg.Pool;

  constructor(name: string, url: string, host: string) {
    this.local = Object.assign(new URL(url), { pathname: name }).href;
    this.address = (by = host) => Object.assign(new URL(this.local), { host: `${by}:5432` }).href;
    this.#pool = new pg.Pool({ connectionString: this.local, max: 1, application_name: 'lockstep test' });
    this.#pool.on('error', () => undefined);
  }

  async query<R extends object>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
    return (await this.#pool.query<R>(sql, [...values])).rows;
  }

  async versions(): Promise<string[]> {
    return (await this.query<{ version: string }>('SELECT version FROM schema_migrations ORDER BY version')).map(
      ({ version }) => version,
    );
  }

  /** The journal's rows of this event, as version or, for an event of a run, the runner. */
  async journal(event: string): Promise<string[]> {
    const rows = await this.query<{ what: string }>(
      'SELECT coalesce(version, runner) AS what FROM schema_migrations_journal WHERE event = $1 ORDER BY id',
      [event],
    );
    return rows.map(({ what }) => what);
  }

  /** Makes the migrations that pass the gate wait until it is released. */
  async closeGate(): Promise<KeyHolder> {
    return await holdKey(this.local, GATE_KEY, 'gate');
  }

  /** The pod that waits at the gate, once there is one that is not `but`. */
  async arrived(but = ''): Promise<string> {
    return await eventually(
      `a pod other than "${but}" to wait at the gate`,
      async () => {
        const found = await this.query<{ name: string }>(
          `SELECT application_name AS name FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`,
        );
        const pod = found[0]?.name.split(' ').at(-1);
        return pod !== but && pod;
      },
      60_000,
    );
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** The host name for pods. */
export function hostIn(namespace: string): string {
  return `postgres.${namespace}.svc`;
}

/** Starts it, in a namespace of its own that is removed at the end. */
export async function startPostgres(cluster: ApiServer, namespace: string, image: string): Promise<Postgres> {
  const password = randomBytes(12).toString('hex');
  await cluster.kubectl(
    ['create', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests(namespace, image, password) }),
  );
  atEnd(() => cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']));
  await cluster.kubectl(['wait', 'pod/postgres', '--namespace', namespace, '--for=condition=Ready', '--timeout=55s']);
  const url = `postgresql://shop:${password}@127.0.0.1:${await forward(cluster, namespace)}/`;
  const server = new pg.Client({ connectionString: `${url}postgres`, application_name: 'lockstep test' });
  await server.connect();
  atEnd(() => server.end());
  const createDatabase = async (): Promise<Database> => {
    const name = `shop_${randomBytes(4).toString('hex')}`;
    await server.query(`CREATE DATABASE ${name}`);
    return new Database(name, url, hostIn(namespace));
  };
  return { createDatabase };
}

function manifests(namespace: string, image: string, password: string): object[] {
  const labels = { app: 'postgres' };
  const env = Object.entries({ POSTGRES_USER: 'shop', POSTGRES_DB: 'shop', POSTGRES_PASSWORD: password }).map(
    ([name, value]) => ({ name, value }),
  );
  const readinessProbe = { tcpSocket: { port: 5432 }, periodSeconds: 1 };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'postgres', namespace },
      spec: { selector: labels, ports: [{ port: 5432 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'postgres', namespace, labels },
      spec: { containers: [{ name: 'postgres', image, imagePullPolicy: 'IfNotPresent', env, readinessProbe }] },
    },
  ];
}

/** Resolves with a port of this machine that forwards to it. */
async function forward({ kubeconfig }: ApiServer, namespace: string): Promise<string> {
  const child = spawn(
    'kubectl',
    [
      '--kubeconfig',
      kubeconfig,
      'port-forward',
      '--namespace',
      namespace,
      'pod/postgres',
      ':5432',
      '--address=127.0.0.1',
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  atEnd(async () => child.kill());
  let said = '';
  const port = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const found = /127\.0\.0\.1:(\d+) ->/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on('close', () => reject(new Error(`kubectl port-forward ended: ${said}`)));
  });
  port.catch(() => undefined);
  return await within(port, 'kubectl port-forward to listen', START_MS);
}
