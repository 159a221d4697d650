/** The session-level advisory lock, tried but never blocked on; its queue, holder and waiters. */
import { setTimeout } from 'node:timers/promises';

import type { AdvisoryLock, Waiter } from '../../../core/ports.ts';
import { applicationName, type CommandName, type Holder } from '../../../core/runner.ts';
import { MigratorError } from '../../../core/errors.ts';
import { keysOf, type SessionContext } from '../state/context.ts';
import { holderQuery, needsSecondLook, readHolder } from './holder.ts';
import { derivedKey } from '../state/relation.ts';
import { advisoryLockIs, identifier, isAdvisoryKey } from '../wire/sql.ts';
import { readTables } from '../state/use-tables.ts';
import type { Wire } from '../wire/wire.ts';

/** How long to wait for a terminated session to end; asking again would not help. */
const TERMINATE_WAIT_MS = 5_000;

/** By then, a runner that only checked the lock has released it. */
const SECOND_LOOK_MS = 100;

export function queueKeyOf(key: string): string {
  return derivedKey('lockstep queue', key);
}

export function channelOf(key: string): string {
  return `lockstep_${key}`;
}

export class PostgresLock implements AdvisoryLock {
  readonly #context: SessionContext;
  #released: PromiseWithResolvers<void> = Promise.withResolvers();
  #mayHold = false;

  constructor(context: SessionContext) {
    this.#context = context;
    context.wire.listen('notification', this.#onNotification);
  }

  get key(): string {
    return this.#context.relation.key;
  }

  /** False when the server has confirmed that we do not hold it. */
  get mayHold(): boolean {
    return this.#mayHold;
  }

  /**
   * Waiters hold this key in shared mode, so that `lockstep lock` can list the queue. No session takes it exclusively.
   */
  get #queueKey(): string {
    return queueKeyOf(this.key);
  }

  get #channel(): string {
    return channelOf(this.key);
  }

  readonly #onNotification = (notification: { readonly channel: string }): void => {
    if (notification.channel === this.#channel) this.#released.resolve();
  };

  async tryAcquire(): Promise<boolean> {
    this.#mayHold = true;
    try {
      const [result, held] = await this.#message(
        `SELECT pg_catalog.pg_try_advisory_lock(${this.key});\nSELECT version() ${this.#isHeld}`,
      );
      this.#mayHold = result?.rows[0]?.[0] === 't';
      if (this.#mayHold && held?.rows.length === 0) throw await this.#noLocks();
      return this.#mayHold;
    } catch (error) {
      if (error instanceof MigratorError && error.code === 'CONFIG_INVALID') throw error;
      // A cancel may have come after the lock was acquired, and an error does not release it.
      await this.#message(`SELECT pg_advisory_unlock(${this.key}) ${this.#isHeld}`).catch(() => undefined);
      throw error;
    }
  }

  get #isHeld(): string {
    return `FROM pg_locks l WHERE l.pid = pg_backend_pid() AND ${isAdvisoryKey(this.key)} AND l.mode = 'ExclusiveLock' AND l.granted`;
  }

  /** Servers that only speak PostgreSQL's protocol may have these functions, and report success for every attempt. */
  async #noLocks(): Promise<MigratorError> {
    const [version] = await this.#message('SELECT version()');
    return withoutAdvisoryLocks(version?.rows[0]?.[0] ?? 'unknown');
  }

  async release(): Promise<void> {
    // In one message, so that a woken waiter finds the lock free.
    await this.#message(`SELECT pg_catalog.pg_advisory_unlock(${this.key}); NOTIFY ${identifier(this.#channel)}`);
    this.#mayHold = false;
  }

  async joinQueue(): Promise<void> {
    await this.#message(`SELECT pg_catalog.pg_try_advisory_lock_shared(${this.#queueKey})`);
    // A standby refuses LISTEN (25006): polling goes on there.
    await this.#message(`LISTEN ${identifier(this.#channel)}`).catch(() => undefined);
  }

  async leaveQueue(): Promise<void> {
    await this.#message(
      `UNLISTEN ${identifier(this.#channel)}; SELECT pg_catalog.pg_advisory_unlock_shared(${this.#queueKey})`,
    );
  }

  async nextRelease(): Promise<void> {
    // A release that was announced before this call counts, too.
    await this.#released.promise;
    this.#released = Promise.withResolvers();
  }

  async holder(): Promise<Holder | undefined> {
    const look = async (): Promise<string | null | undefined> =>
      (await this.#message(holderQuery(this.key)))[0]?.rows[0]?.[0];
    const seen = await look();
    let holder = readHolder(seen);
    if (needsSecondLook(seen)) {
      await setTimeout(SECOND_LOOK_MS);
      holder = readHolder(await look(), seen);
    }
    return holder && { ...holder, ...(await this.#runOf(holder)) };
  }

  /** What the journal says about the holder's run; nothing when another program holds the lock. */
  async #runOf(holder: Holder): Promise<Pick<Holder, 'since' | 'doing'>> {
    if (!holder.applicationName.startsWith('lockstep ')) return {};
    // The table may not exist yet, or this role may not read it: then nothing is known.
    const results = await readTables(this.#context, 'journal', [openRunsQuery(this.#context.relation.journal)]).catch(
      () => [],
    );
    // A run that died counts as open too, until the next run starts.
    const own = (results[0]?.rows ?? []).find(([command, version, name]) => {
      const runner = { command: (command ?? '') as CommandName, productVersion: version ?? '', name: name ?? '' };
      return applicationName(runner) === holder.applicationName;
    });
    const [, , , since, doing] = own ?? [];
    return { since: since == null ? undefined : new Date(since), doing: doing ?? undefined };
  }

  async waiters(): Promise<readonly Waiter[]> {
    const [result] = await this.#message(
      `SELECT l.pid, coalesce(a.application_name, ''), NOT l.granted` +
        ` FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid` +
        ` WHERE (${advisoryLockIs(this.key)} AND NOT l.granted)` +
        ` OR (${advisoryLockIs(this.#queueKey)} AND l.mode = 'ShareLock') ORDER BY l.pid`,
    );
    return (result?.rows ?? []).map(([pid, name, blocked]) => ({
      pid: Number(pid),
      applicationName: name ?? '',
      blocked: blocked === 't',
    }));
  }

  async cancelBlockedWaiters(): Promise<readonly Holder[]> {
    return await cancelAll(this.#context.wire, keysOf(this.#context));
  }

  async terminate(holder: Holder): Promise<boolean> {
    const [result] = await this.#message(`SELECT pg_catalog.pg_terminate_backend(${holder.pid}, ${TERMINATE_WAIT_MS})`);
    return result?.rows[0]?.[0] === 't';
  }

  #message(sql: string) {
    return this.#context.wire.message(sql);
  }
}

export function withoutAdvisoryLocks(server: string, cause?: unknown): MigratorError {
  return new MigratorError(
    'CONFIG_INVALID',
    `this server has no working advisory locks, so two runs could apply the same migration at once: ${server}`,
    {
      cause,
      hint: 'use PostgreSQL 14 to 18; a server that only speaks its protocol, such as CockroachDB, is not supported',
    },
  );
}

async function cancelBlocked(wire: Wire, key: string): Promise<Holder[]> {
  const [result] = await wire.message(
    `SELECT l.pid, coalesce(a.application_name, ''), pg_catalog.pg_cancel_backend(l.pid)` +
      ` FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid` +
      ` WHERE ${advisoryLockIs(key)} AND NOT l.granted`,
  );
  return (result?.rows ?? []).map(([pid, name]) => ({ pid: Number(pid), applicationName: name ?? '' }));
}

async function cancelAll(wire: Wire, keys: readonly string[]): Promise<Holder[]> {
  const cancelled: Holder[] = [];
  for (const key of keys) cancelled.push(...(await cancelBlocked(wire, key)));
  return cancelled;
}

/** Well below `deadlock_timeout` (1 s), after which PostgreSQL would end the build. */
const CANCEL_EVERY_MS = 200;

export async function cancelUntil(ended: AbortSignal, wire: Wire, keys: readonly string[]): Promise<Holder[]> {
  const cancelled: Holder[] = [];
  while (!ended.aborted) {
    const now = await cancelAll(wire, keys).catch((error: unknown) => {
      if (ended.aborted) return [];
      throw error;
    });
    cancelled.push(...now);
    await setTimeout(CANCEL_EVERY_MS, undefined, { signal: ended }).catch(() => undefined);
  }
  return cancelled;
}

/** Runs without an end, newest first: runner, start, and the step that started last. */
function openRunsQuery(journal: string): string {
  return (
    `SELECT s.command, s.lockstep, s.runner, to_json(s.at) #>> '{}', (SELECT t.direction || ' ' || t.version FROM ${journal} t` +
    ` WHERE t.run = s.run AND t.event IN ('started', 'statement started') ORDER BY t.id DESC LIMIT 1)` +
    ` FROM ${journal} s WHERE s.event = 'run started'` +
    ` AND NOT EXISTS (SELECT 1 FROM ${journal} e WHERE e.run = s.run AND e.event IN ('run ended', 'run lost'))` +
    ` ORDER BY s.id DESC`
  );
}
