/** History and journal are locked, checked and used in one transaction: nothing can be attached to them in between. */
import type { MigratorError } from '../../../core/errors.ts';
import { asOurselves, type SessionContext } from './context.ts';
import { findingsQuery, guard, GUARD_FAILED, readFindings, untrustedTables } from './attached-objects.ts';
import type { Access } from '../wire/own-path.ts';
import { OWN_LOCK_TIMEOUT_MS } from './settings.ts';
import { resultsBefore, type ResultSet } from '../wire/simple-query.ts';
import { escapeLiteral } from '../wire/sql.ts';
import { withHolders } from './table-holders.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';

/** Which of the two. */
export type Used = 'history' | 'journal' | 'both';

function namesOf({ relation }: SessionContext, used: Used): string[] {
  return [...(used === 'journal' ? [] : [relation.table]), ...(used === 'history' ? [] : [relation.journal])];
}

function oidsOf(context: SessionContext, used: Used): string {
  return namesOf(context, used)
    .map((name) => `to_regclass(${escapeLiteral(name)})`)
    .join(', ');
}

/** These locks keep a trigger, a rule, a policy and a change of a column away until the transaction ends. */
const LOCK_MODES: Readonly<Record<Access, string>> = { read: 'ACCESS SHARE', write: 'ROW EXCLUSIVE' };

/** Under our own path; the guard is the last. */
export function lockAndLook(context: SessionContext, access: Access, used: Used): string[] {
  return [
    `LOCK TABLE ${namesOf(context, used).join(', ')} IN ${LOCK_MODES[access]} MODE`,
    guard(access, oidsOf(context, used), context.care),
  ];
}

/** For the rest of a transaction in which a migration may have taken another role, or set other limits. */
export function ownLimits(context: SessionContext, lockTimeoutMs = OWN_LOCK_TIMEOUT_MS): string[] {
  return ['SET LOCAL statement_timeout = 0', `SET LOCAL lock_timeout = ${lockTimeoutMs}`, ...asOurselves(context)];
}

/**
 * The results of the queries. @throws MigratorError HISTORY_CONFLICT, CONTENTION when another session has a table
 * locked.
 */
export function readTables(
  context: SessionContext,
  used: Used,
  queries: readonly string[],
): Promise<readonly ResultSet[]> {
  return inTables(context, 'read', used, { statements: queries });
}

/** In one transaction; resolves with their results. @throws as readTables. */
export async function writeTables(
  context: SessionContext,
  statements: readonly string[],
  lockTimeoutMs?: number,
): Promise<readonly ResultSet[]> {
  return statements.length === 0 ? [] : await inTables(context, 'write', 'both', { statements, lockTimeoutMs });
}

interface InTables {
  readonly statements: readonly string[];
  readonly lockTimeoutMs?: number | undefined;
}

async function inTables(
  context: SessionContext,
  access: Access,
  used: Used,
  { statements, lockTimeoutMs }: InTables,
): Promise<readonly ResultSet[]> {
  return await careful(context, access, used, async () => {
    const before = [...ownLimits(context, lockTimeoutMs), ...lockAndLook(context, access, used)];
    try {
      return (await context.wire.transaction(access, [...before, ...statements])).slice(before.length);
    } catch (error) {
      // BEGIN and our path come before them.
      throw resultsBefore(error).length === before.length + 1 ? new GuardFailed(error) : error;
    }
  });
}

/** The guard, and nothing else, has failed; never leaves this file. */
class GuardFailed extends Error {
  constructor(cause: unknown) {
    super('', { cause });
  }
}

/** Says what the guard has found, or tries again with one that looks more closely; names who has a table locked. */
async function careful<T>(context: SessionContext, access: Access, used: Used, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (thrown) {
    const error = thrown instanceof GuardFailed ? thrown.cause : thrown;
    if (!(thrown instanceof GuardFailed) || serverErrorOf(error)?.sqlstate !== GUARD_FAILED)
      throw await withTableHolders(context, used, error);
    const found = await lookClosely(context, access, used);
    if (found.length > 0 || context.care === 'closely') throw untrustedTables(access, found);
    context.care = 'closely';
    return await careful(context, access, used, attempt);
  }
}

/**
 * For who has sent the guard in a message of its own, and seen it fail: what is with the tables. Undefined when nothing
 * is, so that the message, made again, looks more closely. @throws that error when it had done so.
 */
export async function explainGuard(context: SessionContext, error: unknown): Promise<MigratorError | undefined> {
  const found = await lookClosely(context, 'write', 'both');
  if (found.length > 0) return untrustedTables('write', found);
  if (context.care === 'closely') throw error;
  context.care = 'closely';
  return undefined;
}

/** What is with the tables now. */
async function lookClosely(context: SessionContext, access: Access, used: Used): Promise<string[]> {
  const statements = [...asOurselves(context), findingsQuery(access, oidsOf(context, used))];
  return readFindings((await context.wire.transaction('read', statements)).at(-1));
}

/** Adds the lock holders to an error of our own statements, if that is a lock timeout. */
export async function withTableHolders(context: SessionContext, used: Used, error: unknown): Promise<unknown> {
  return await withHolders(context.wire, namesOf(context, used), oidsOf(context, used), error);
}
