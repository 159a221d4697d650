/** Makes databases for a trial, and removes them: its own in the end, and those of makers that are gone. */
import { randomBytes } from 'node:crypto';

import { MigratorError } from '../../../core/errors.ts';
import type { Connect, Connected } from '../connection/connected.ts';
import { Wire } from '../wire/wire.ts';
import { identifier, literal } from '../wire/sql.ts';

const NAME = 'lockstep-prove';
const PREFIX = 'lockstep_scratch_';

export interface MadeDatabase {
  readonly name: string;
  drop(): Promise<void>;
}

/**
 * The session in the maintenance database holds an advisory lock for the name of the scratch database as long as its
 * maker lives: a later run drops the databases of its role whose lock is free.
 * @throws MigratorError ACCESS_REFUSED without the right to make databases.
 */
export async function makeScratch(connect: Connect, template: string, signal: AbortSignal): Promise<MadeDatabase> {
  const connected = await connect(NAME, signal);
  const wire = new Wire(connected.client);
  const name = PREFIX + randomBytes(6).toString('hex');
  try {
    await dropAbandoned(wire);
    await wire.message(`SELECT pg_advisory_lock(${keyOf(name)})`);
    await wire.asIs(`CREATE DATABASE ${identifier(name)} TEMPLATE ${identifier(template)}`, { promptly: false });
    wire.keepAwake();
    return { name, drop: () => drop(wire, connected, name) };
  } catch (error) {
    await release(wire, connected);
    throw error;
  }
}

/** The name's hash: an advisory lock has a number. */
function keyOf(name: string): string {
  return `hashtextextended(${literal(name)}, 0)`;
}

async function dropAbandoned(wire: Wire): Promise<void> {
  const [found] = await wire.message(
    `SELECT datname FROM pg_database WHERE starts_with(datname, ${literal(PREFIX)}) AND datdba = current_user::regrole`,
  );
  for (const [name] of found?.rows ?? []) {
    if (name == null) continue;
    const [free] = await wire.message(`SELECT pg_try_advisory_lock(${keyOf(name)})`);
    if (free?.rows[0]?.[0] !== 't') continue;
    // Another run may have been faster.
    await dropDatabase(wire, name).catch(() => undefined);
    await wire.message(`SELECT pg_advisory_unlock(${keyOf(name)})`);
  }
}

async function dropDatabase(wire: Wire, name: string): Promise<void> {
  await wire.asIs(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`, { promptly: false });
}

/** What cannot be dropped now, a later run drops. */
async function drop(wire: Wire, connected: Connected, name: string): Promise<void> {
  await dropDatabase(wire, name).catch(() => undefined);
  await release(wire, connected);
}

async function release(wire: Wire, connected: Connected): Promise<void> {
  wire.detach();
  await connected.release({ untouched: false, idle: false }).catch(() => undefined);
}

/** Runs SQL in the scratch database, as it stands; drops the database if that fails. */
export async function runSetup(
  { connect, sql, made }: { readonly connect: Connect; readonly sql: string; readonly made: MadeDatabase },
  signal: AbortSignal,
): Promise<void> {
  try {
    const connected = await connect(NAME, signal);
    const wire = new Wire(connected.client);
    await wire.asIs(sql, { promptly: false, keepRows: false }).finally(() => release(wire, connected));
  } catch (error) {
    await made.drop();
    throw error;
  }
}

/** An address of the same server with another database, by the rule of libpq that a later `dbname` wins. */
export function withDatabase(address: string, name: string): string {
  if (!/^postgres(ql)?:\/\//.test(address)) return `${address} dbname=${name}`;
  const [, before = '', query = ''] = /^(postgres(?:ql)?:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/.exec(address) ?? [];
  if (before === '') throw new MigratorError('CONFIG_INVALID', 'the address of --scratch-url cannot be used');
  return `${before}/${name}${query.replaceAll(/([?&])dbname=[^&]*/g, '$1')}`;
}
