/** Makes databases for a trial, and removes them: its own in the end, and those of makers that are gone. */
import { randomBytes } from 'node:crypto';

import { MigratorError } from '../../../core/errors.ts';
import type { Connect, Connected } from '../connection/connected.ts';
import { identifier, literal } from '../wire/sql.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import { Wire } from '../wire/wire.ts';

const NAME = 'lockstep-prove';
const PREFIX = 'lockstep_scratch_';

/**
 * A session in the maintenance database. It holds an advisory lock for the name of each scratch database as long as its
 * maker lives: a later run drops the databases of its role whose lock nobody holds.
 */
export class ScratchServer {
  readonly #connected: Connected;
  readonly #wire: Wire;
  readonly #made = new Set<string>();

  private constructor(connected: Connected) {
    this.#connected = connected;
    this.#wire = new Wire(connected.client);
    this.#wire.keepAwake();
  }

  static async open(connect: Connect, signal: AbortSignal): Promise<ScratchServer> {
    const server = new ScratchServer(await connect(NAME, signal));
    try {
      await server.#dropAbandoned();
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /**
   * A copy of `template`, which no session may use meanwhile.
   * @throws MigratorError CONFIG_INVALID without the right to make databases.
   */
  async make(template: string): Promise<string> {
    const name = PREFIX + randomBytes(6).toString('hex');
    await this.#wire.message(`SELECT pg_advisory_lock(${keyOf(name)})`);
    this.#made.add(name);
    try {
      await this.#wire.asIs(`CREATE DATABASE ${identifier(name)} TEMPLATE ${identifier(template)}`, {
        promptly: false,
      });
      return name;
    } catch (error) {
      throw cannotMake(error, template);
    }
  }

  /** What cannot be dropped now, a later run drops. */
  async drop(name: string): Promise<void> {
    this.#made.delete(name);
    if (this.#wire.lost.aborted) return;
    await this.#dropDatabase(name).catch(() => undefined);
    await this.#wire.message(`SELECT pg_advisory_unlock(${keyOf(name)})`).catch(() => undefined);
  }

  async roles(): Promise<readonly string[]> {
    const [found] = await this.#wire.message('SELECT rolname FROM pg_roles');
    return (found?.rows ?? []).flatMap(([name]) => name ?? []);
  }

  /** Those that something still needs stay. */
  async dropRoles(names: readonly string[]): Promise<void> {
    for (const name of names) await this.#wire.asIs(`DROP ROLE ${identifier(name)}`).catch(() => undefined);
  }

  async dropAll(): Promise<void> {
    for (const name of this.#made) await this.drop(name);
  }

  async close(): Promise<void> {
    await this.dropAll();
    this.#wire.detach();
    await this.#connected.release({ untouched: false, idle: false }).catch(() => undefined);
  }

  /** Another run may have its session in another database, in which its lock stands: locks count wherever they are. */
  async #dropAbandoned(): Promise<void> {
    const [found] = await this.#wire.message(
      `SELECT d.datname FROM pg_database d CROSS JOIN LATERAL (SELECT hashtextextended(d.datname, 0) AS key) k` +
        ` WHERE starts_with(d.datname, ${literal(PREFIX)}) AND d.datdba = current_user::regrole` +
        ` AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1` +
        ` AND l.classid::bigint = (k.key >> 32) & 4294967295 AND l.objid::bigint = k.key & 4294967295)`,
    );
    for (const [name] of found?.rows ?? []) {
      if (name == null) continue;
      const [free] = await this.#wire.message(`SELECT pg_try_advisory_lock(${keyOf(name)})`);
      if (free?.rows[0]?.[0] === 't') await this.drop(name);
    }
  }

  async #dropDatabase(name: string): Promise<void> {
    await this.#wire.asIs(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`, { promptly: false });
  }
}

/** The name's hash: an advisory lock has a number. */
function keyOf(name: string): string {
  return `hashtextextended(${literal(name)}, 0)`;
}

function cannotMake(error: unknown, template: string): unknown {
  const server = serverErrorOf(error);
  if (!server) return error;
  const summary = `could not make a scratch database from ${template}`;
  if (server.sqlstate === '42501')
    return new MigratorError('CONFIG_INVALID', `not provable here: ${summary}`, {
      server,
      hint: 'the role of --scratch-url must be allowed to make databases: ALTER ROLE … CREATEDB',
      cause: error,
    });
  if (server.sqlstate === '3D000' || server.sqlstate === '55006')
    return new MigratorError('CONFIG_INVALID', summary, {
      server,
      hint: 'give --scratch-template a database that exists and that no session uses',
      cause: error,
    });
  return new MigratorError('DATABASE_UNAVAILABLE', summary, {
    server,
    hint: 'look at the server of --scratch-url, then run the command again',
    cause: error,
  });
}

/** Runs SQL in the scratch database, as it stands. */
export async function runSetup(connect: Connect, sql: string, signal: AbortSignal): Promise<void> {
  const connected = await connect(NAME, signal);
  const wire = new Wire(connected.client);
  try {
    await wire.asIs(sql, { promptly: false, keepRows: false });
  } catch (error) {
    const server = serverErrorOf(error);
    if (!server) throw error;
    throw new MigratorError('CONFIG_INVALID', 'the file of --setup failed', {
      server,
      hint: 'correct the file, or give it a server on which it can run',
      cause: error,
    });
  } finally {
    wire.detach();
    await connected.release({ untouched: false, idle: false }).catch(() => undefined);
  }
}

/** An address of the same server with another database, by the rule of libpq that a later `dbname` wins. */
export function withDatabase(address: string, name: string): string {
  if (!/^postgres(ql)?:\/\//.test(address)) return `${address} dbname=${name}`;
  const [, before = '', query = ''] = /^(postgres(?:ql)?:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/.exec(address) ?? [];
  if (before === '') throw new MigratorError('CONFIG_INVALID', 'the address of --scratch-url cannot be used');
  return `${before}/${name}${query.replaceAll(/([?&])dbname=[^&]*/g, '$1')}`;
}
