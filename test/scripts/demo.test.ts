/** `npm start` without a terminal, on its own server and on the server of DATABASE_URL. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';

import { startPostgres, type Postgres } from '../../scripts/postgres/server.ts';
import { closedPort } from '../support/opening.ts';

const root = join(import.meta.dirname, '../..');
const versions = readdirSync(join(root, 'migrations'))
  .filter((name) => name.endsWith('.up.sql'))
  .map((name) => name.replace('.up.sql', ''));

describe('the demo (npm start)', () => {
  it('applies each migration exactly once, by one replica of ten, and leaves nothing behind', async () => {
    const { exit, output, pid } = await runDemo({});
    expect(exit, output).to.equal(0);
    expect(appliedIn(output).map(({ version }) => version)).to.deep.equal([...versions].sort());
    expect(new Set(appliedIn(output).map(({ replica }) => replica)).size).to.equal(1);
    expect(output.match(/skips all \d+: already applied/g)).to.have.lengthOf(9);
    expect(output, 'no colours without a terminal').to.not.include('\u001b');
    await nobodyListens(Number(/on 127\.0\.0\.1:(\d+)/.exec(output)?.[1]));
    for (const folder of [tmpdir(), '/tmp'].filter(existsSync)) {
      expect(readdirSync(folder).filter((name) => name.startsWith(`lockstep-postgres-${pid}-`))).to.deep.equal([]);
    }
  });

  describe('with DATABASE_URL', () => {
    let server: Postgres;

    before(async () => {
      server = await startPostgres({ auth: 'scram-sha-256' });
    });
    after(() => server.stop());

    it('works in its own schema, and shows no password', async () => {
      const { exit, output } = await runDemo({ DATABASE_URL: server.url });
      expect(exit, output).to.equal(0);
      expect(output).to.include('DROP SCHEMA lockstep_demo CASCADE').and.to.not.include(server.password);
      const tables = await query(
        server,
        `SELECT DISTINCT schemaname AS name FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'`,
      );
      expect(tables).to.deep.equal([{ name: 'lockstep_demo' }]);
      expect(await query(server, 'SELECT version FROM lockstep_demo.migrations')).to.have.lengthOf(versions.length);
    });

    it('does not touch a schema that it did not create', async () => {
      await query(
        server,
        'DROP SCHEMA IF EXISTS lockstep_demo CASCADE; CREATE SCHEMA lockstep_demo; CREATE TABLE lockstep_demo.precious ()',
      );
      const { exit, output } = await runDemo({ DATABASE_URL: server.url });
      expect(exit, output).to.equal(1);
      expect(output).to.include('the demo did not make it');
      await query(server, 'SELECT FROM lockstep_demo.precious');
    });

    it('reports in one message that the database cannot be reached', async () => {
      const { exit, output } = await runDemo({
        DATABASE_URL: `postgres://app:secret@127.0.0.1:${await closedPort()}/app`,
      });
      expect(exit, output).to.equal(1);
      expect(output)
        .to.include('Cannot reach the database')
        .and.to.not.include('secret')
        .and.to.not.match(/^\s+at /m);
    });
  });
});

async function runDemo(env: Record<string, string>): Promise<{ exit: number | null; output: string; pid: number }> {
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  const child = spawn(process.execPath, ['scripts/demo.ts'], {
    cwd: root,
    env: { PATH, HOME, ...(TMPDIR !== undefined && { TMPDIR }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 50_000,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [exit] = (await once(child, 'close')) as [number | null];
  return { exit, output, pid: child.pid ?? 0 };
}

/** The lines that report an applied migration, in the order of the versions. */
function appliedIn(output: string): { replica: string; version: string }[] {
  return [...output.matchAll(/(web-\d+) +applied +(\S+)/g)]
    .map(([, replica = '', version = '']) => ({ replica, version }))
    .sort((a, b) => (a.version < b.version ? -1 : 1));
}

async function nobodyListens(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const [error] = (await Promise.race([once(socket, 'error'), once(socket, 'connect').then(() => [undefined])])) as [
    NodeJS.ErrnoException?,
  ];
  socket.destroy();
  expect(error?.code).to.equal('ECONNREFUSED');
}

async function query({ url }: Postgres, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
