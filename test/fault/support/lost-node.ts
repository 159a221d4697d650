/**
 * A separate machine for a runner, as far as the network is concerned: a network namespace that can be disconnected.
 */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

import type { Postgres } from '../../../scripts/postgres/server.ts';
import { atEnd } from '../../support/cleanup.ts';
import { ownServer } from '../../support/server.ts';
import { run, whyNot } from '../../support/elsewhere.ts';

export interface Node {
  /** A command prefix that runs a command on that machine. */
  readonly prefix: readonly string[];
  /** The server's address `url` as seen from that machine. */
  readonly address: (url: string) => string;
  /** From now on packets are dropped silently in both directions. */
  readonly pullCable: () => Promise<void>;
  readonly plugIn: () => Promise<void>;
}

/** The reason why this system cannot create such a machine; undefined when it can. */
export async function whyNoNode(): Promise<string | undefined> {
  const name = `lockstep-probe-${process.pid}`;
  const reason = await whyNot('ip', 'netns', 'add', name);
  if (reason === undefined) await run('ip', 'netns', 'delete', name);
  return reason;
}

/** Machines are numbered from 0, and removed after the tests. */
export async function makeNodes(count: number): Promise<readonly Node[]> {
  return await Promise.all(Array.from({ length: count }, (_, number) => makeNode(number)));
}

async function makeNode(number: number): Promise<Node> {
  const name = `lockstep-${process.pid}-${number}`;
  const [ours, theirs] = [`lk${process.pid}h${number}`, `lk${process.pid}n${number}`];
  const net = `10.213.${process.pid % 256}.${number * 4}`.replace(/\d+$/, '');
  const [gateway, own] = [net + String(number * 4 + 1), net + String(number * 4 + 2)];
  await run('ip', 'netns', 'add', name);
  atEnd(() => run('ip', 'netns', 'delete', name));
  await run('ip', 'link', 'add', ours, 'type', 'veth', 'peer', 'name', theirs, 'netns', name);
  await run('ip', 'address', 'add', `${gateway}/30`, 'dev', ours);
  await run('ip', 'link', 'set', ours, 'up');
  await run('ip', '-n', name, 'address', 'add', `${own}/30`, 'dev', theirs);
  await run('ip', '-n', name, 'link', 'set', theirs, 'up');
  return {
    prefix: ['ip', 'netns', 'exec', name],
    address: (url) => url.replace('127.0.0.1', gateway),
    pullCable: () => run('ip', '-n', name, 'link', 'set', theirs, 'down'),
    plugIn: () => run('ip', '-n', name, 'link', 'set', theirs, 'up'),
  };
}

/** A server that these machines can reach. */
export async function serverForNodes(): Promise<Postgres> {
  const server = await ownServer({ settings: { listen_addresses: '*' } });
  await appendFile(join(server.dataDir, 'pg_hba.conf'), '\nhost all all 10.213.0.0/16 trust\n');
  const client = new pg.Client(server.url);
  await client.connect();
  await client.query('SELECT pg_reload_conf()');
  await client.end();
  return server;
}
