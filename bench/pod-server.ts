// Answers: where does the bench log in as pods do? On a PostgreSQL with TLS that asks for a password, in a database per
// use.
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startTlsServer, type TlsServer } from '../test/support/tls-server.ts';
import type { Command } from './command.ts';
import type { Contender } from './contenders/contender.ts';
import type { Migration } from './migrations.ts';

/** `SCRAM, TLS`: the certificate and its name are verified (sslmode=verify-full). */
export type LogIn = 'trust' | 'SCRAM' | 'SCRAM, TLS';

const USERS: Readonly<Record<LogIn, string>> = { trust: 'trusted', SCRAM: 'only_clear', 'SCRAM, TLS': 'only_tls' };

export class PodServer {
  readonly #server: TlsServer;
  readonly #admin: pg.Client;
  readonly #folder: string;
  #count = 0;

  private constructor(server: TlsServer, admin: pg.Client, folder: string) {
    this.#server = server;
    this.#admin = admin;
    this.#folder = folder;
  }

  /** `folder` is for files. */
  static async open(folder: string): Promise<PodServer> {
    const server = await startTlsServer();
    const admin = new pg.Client({ connectionString: server.postgres.url });
    await admin.connect();
    return new PodServer(server, admin, folder);
  }

  /** A folder with these migrations, and an empty database of the user that logs in so. */
  async prepare(contender: Contender, logIn: LogIn, migrations: readonly Migration[]): Promise<Command> {
    this.#count += 1;
    const name = `bench_${this.#count}`;
    await this.#admin.query(`CREATE DATABASE ${name} OWNER ${USERS[logIn]}`);
    const mode = logIn === 'SCRAM, TLS' ? `verify-full&sslrootcert=${this.#server.files.ca}` : 'disable';
    const url = new URL(this.#server.url(USERS[logIn], `sslmode=${mode}`));
    url.pathname = name;
    const folder = await mkdtemp(join(this.#folder, `${contender.name.replaceAll(/\W+/g, '-')}-`));
    return await contender.prepare(folder, url.href, migrations);
  }

  async close(): Promise<void> {
    await this.#admin.end();
    await this.#server.stop();
  }
}
