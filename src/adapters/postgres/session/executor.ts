/** Sends migrations: the row, the script and the fence as one message, or statement by statement. */
import { MigratorError } from '../../../core/errors.ts';
import { checksum } from '../../../core/migration.ts';
import type { ConcurrentIndex, RelationName, Reindexed, SqlPiece, Unit } from '../../../core/sql/script-plan.ts';
import type { Executor, IndexState, Limits, StepScript } from '../../../core/ports.ts';
import type { Blocker } from '../../../core/runner.ts';
import { asOurselves, BEGIN, beginOurs, type SessionContext } from './context.ts';
import { detachState, finalizeDetach, type Detachment } from './detachment.ts';
import { GUEST_RESET_STATEMENTS } from './guest.ts';
import { dropIndex, dropReindexLeftovers, indexState } from './indexes.ts';
import { insertRows, journalInsert, journalRow, type JournalValues } from './journal.ts';
import { Message } from './message.ts';
import { chosenStatements, RESET_STATEMENTS, setStatement } from './settings.ts';
import { ifStillHeld, literal } from './sql.ts';
import { lockHoldersOn } from './observe.ts';
import { partlyCommitted, watchCommits } from './partly-committed.ts';
import { rowEstimates } from './row-estimates.ts';
import { stepError } from './step-error.ts';

interface Ready {
  readonly step: StepScript;
  readonly answered: Promise<unknown>;
}

export class PostgresExecutor implements Executor {
  readonly #context: SessionContext;
  /** The step that the session is or soon will be ready for. */
  #ready: Ready | undefined;
  /** The step that the journal says was started last. */
  #started: StepScript | undefined;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  async begin(step: StepScript): Promise<void> {
    await this.#makeReady(step, { journaled: this.#started === step }).answered;
    this.#started = step;
  }

  /** Sent once for a step, unless it fails. `journaled`: that it started is or will be said elsewhere. */
  #makeReady(step: StepScript, { journaled }: { readonly journaled: boolean }): Ready {
    if (this.#ready?.step === step) return this.#ready;
    const statements = this.#reset([READY, this.#markOf(step)]);
    // Only for people who look while it runs: not worth waiting for the disk.
    if (!journaled) statements.push('SET LOCAL synchronous_commit = off', this.#insert({ event: 'started', step }));
    const ready = { step, answered: this.#context.wire.transaction([...statements, 'COMMIT'].join(';\n'), { keepRows: false }) };
    this.#ready = ready;
    ready.answered.catch(() => {
      if (this.#ready === ready) this.#ready = undefined;
    });
    return ready;
  }

  /** Begins a transaction in which the session becomes what it was before any migration. */
  #reset(...more: readonly (readonly [name: string, value: string])[]): string[] {
    const { accepted, guest, settings } = this.#context;
    return [BEGIN, ...(guest ? GUEST_RESET_STATEMENTS : RESET_STATEMENTS), setStatement([...accepted, ...more]), ...chosenStatements(settings)];
  }

  /** Nothing that the last script left is there while a hook runs, or at the end of the run. */
  async #leaveNothing(): Promise<void> {
    // Whoever tries the script again has to make the session ready again.
    this.#ready = undefined;
    await this.#context.wire.transaction([...this.#reset(), 'COMMIT'].join(';\n'), { keepRows: false }).catch(() => undefined);
  }

  async transaction(step: StepScript, pieces: readonly SqlPiece[], limits: Limits, next?: StepScript): Promise<void> {
    const { pooled, wire } = this.#context;
    // A pooler takes a session for idle after the first answer, and keeps it if we are killed before the second.
    if (pooled) await this.begin(step);
    // All are on their way before the first is answered.
    const sent = wire.together(() => {
      const steps = [this.begin(step), this.#transaction(step, pieces, limits, next)] as const;
      // If the step fails, what follows does no harm.
      if (next && !pooled) this.#makeReady(next, { journaled: true });
      return [...steps, next || pooled ? Promise.resolve() : this.#leaveNothing()] as const;
    });
    const [begun, ran] = await Promise.allSettled(sent);
    // Of a lost connection nobody knows which of the two it still carried.
    if (begun.status === 'rejected' && !wire.lost.aborted) throw begun.reason;
    if (ran.status === 'rejected') throw ran.reason;
    if (pooled && !next) await this.#leaveNothing();
    this.#started = next;
  }

  async #transaction(step: StepScript, pieces: readonly SqlPiece[], limits: Limits, next: StepScript | undefined): Promise<void> {
    const message = this.#open(limits).add(this.#unlessReady(step), ...this.#historyRow(step));
    let lockTimeout = limits.lockTimeoutMs;
    for (const piece of pieces) {
      const wanted = piece.blocking ? limits.lockTimeoutMs : 0;
      if (wanted !== lockTimeout) message.add(`SET LOCAL lock_timeout = ${wanted}`);
      lockTimeout = wanted;
      message.addSource(piece);
    }
    const unread = pieces.some((piece) => piece.unread === true);
    const mayForget = unread || pieces.some((piece) => piece.mayForget === true);
    const sameTransaction = mayForget && step.direction === 'up' ? this.#hasOurRow(step) : undefined;
    const event = step.direction === 'up' ? 'applied' : 'rolled back';
    message.add(...this.#fencedRow({ event, step }, { durationSql: DURATION_SQL, sameTransaction, next }));
    try {
      await this.#send(step, message.add('COMMIT'), { unread });
    } catch (error) {
      throw (unread ? await this.#committedInPart(step, error) : undefined) ?? error;
    }
  }

  /** Fails (22012) when the session was not made ready for this step: what is sent behind a message runs also if that failed. */
  #unlessReady(step: StepScript): string {
    return `SELECT 1 / (pg_catalog.current_setting('${READY}', true) IS NOT DISTINCT FROM ${literal(this.#markOf(step))})::integer`;
  }

  #markOf({ version }: StepScript): string {
    return `${this.#context.runner.run} ${version}`;
  }

  /** The history row is there, and was written by this very transaction, which a file that the parser could not read may have ended. */
  #hasOurRow({ version }: StepScript): string {
    return (
      `EXISTS (SELECT 1 FROM ${this.#context.relation.table} WHERE version = ${literal(version)}` +
      ` AND xmin::text::bigint = pg_catalog.pg_current_xact_id()::text::bigint & 4294967295)`
    );
  }

  /** After a failure no row may be left; one that is was committed by the file itself. */
  async #committedInPart(step: StepScript, error: unknown): Promise<MigratorError | undefined> {
    const { relation, wire } = this.#context;
    if (step.direction === 'down' || wire.lost.aborted) return undefined;
    // Then the row is somebody else's.
    if (error instanceof MigratorError && error.code === 'HISTORY_CONFLICT') return undefined;
    const [deleted] = await wire
      .message(`DELETE FROM ${relation.table} WHERE version = ${literal(step.version)} RETURNING 1`)
      .catch(() => []);
    if (deleted?.rows.length !== 1) return undefined;
    return new MigratorError('MIGRATION_FAILED', `${step.script.file} ended the transaction that it ran in, and failed after that`, {
      version: step.version,
      hint: 'what stands before its COMMIT is in the database, and not recorded: undo that by hand, then take the COMMIT out of the file',
    });
  }

  async statement(step: StepScript, unit: Unit, limits: Limits): Promise<void> {
    const message = this.#open({ ...limits, lockTimeoutMs: unit.blocking ? limits.lockTimeoutMs : 0 }, unit.ownLockTimeout)
      .addSource(unit)
      .add(...this.#fencedRow({ event: 'statement done', ...factsOf(step, unit) }, { durationSql: DURATION_SQL }));
    await this.#send(step, message.add('COMMIT'), { unit });
  }

  async statementAlone(step: StepScript, unit: Unit, limits: Limits): Promise<void> {
    const { relation, wire } = this.#context;
    await this.#note({ event: 'statement started', ...factsOf(step, unit), statementSql: unit.sql });
    if (limits.statementTimeoutMs > 0) {
      await wire.message(setStatement([['statement_timeout', String(limits.statementTimeoutMs)]]));
    }
    const message = new Message().addSource(unit);
    const hasCommitted = await watchCommits(wire, unit);
    try {
      await wire.message(message.text, { keepRows: false });
    } catch (cause) {
      const error = stepError(cause, step, { message, relation, unit });
      throw (await hasCommitted()) ? partlyCommitted(error, step) : error;
    }
  }

  async statementFailed(step: StepScript, unit: Pick<Unit, 'index' | 'sql'>): Promise<void> {
    await this.#note({ event: 'statement failed', ...factsOf(step, unit) });
  }

  async #note(values: JournalValues): Promise<void> {
    await this.#context.wire.transaction([...beginOurs(this.#context), this.#insert(values), 'COMMIT'].join(';\n'));
  }

  async statementDone(step: StepScript, unit: Pick<Unit, 'index' | 'sql'>, durationMs: number): Promise<void> {
    const message = new Message().add(
      ...beginOurs(this.#context),
      ...this.#fencedRow({ event: 'statement done', ...factsOf(step, unit), durationMs }),
      'COMMIT',
    );
    await this.#send(step, message);
  }

  async finish(step: StepScript, durationMs: number): Promise<void> {
    const event = step.direction === 'up' ? 'applied' : 'rolled back';
    const message = new Message().add(
      ...beginOurs(this.#context),
      ...this.#historyRow(step),
      ...this.#fencedRow({ event, step, durationMs }),
      'COMMIT',
    );
    await this.#send(step, message);
    this.#started = undefined;
    await this.#leaveNothing();
  }

  async withdraw(error: MigratorError): Promise<void> {
    if (this.#started) await this.#note({ event: 'failed', step: this.#started, error });
  }

  blockersOf(pieces: readonly SqlPiece[]): Promise<readonly Blocker[]> {
    return lockHoldersOn(this.#context.wire, pieces.flatMap(({ relations }) => relations));
  }

  indexState(index: ConcurrentIndex): Promise<IndexState> {
    return indexState(this.#context.wire, index);
  }

  dropIndex(index: ConcurrentIndex): Promise<void> {
    return dropIndex(this.#context.wire, index);
  }

  dropReindexLeftovers(of: Reindexed): Promise<readonly string[]> {
    return dropReindexLeftovers(this.#context.wire, of);
  }

  detachState(detach: Detachment): Promise<'attached' | 'pending' | 'detached'> {
    return detachState(this.#context.wire, detach);
  }

  finalizeDetach(detach: Detachment): Promise<void> {
    return finalizeDetach(this.#context.wire, detach);
  }

  rowEstimates(tables: readonly RelationName[]): Promise<readonly (number | undefined)[]> {
    return rowEstimates(this.#context, tables);
  }

  /** `ownLockTimeout`: the script has set one, which stays. */
  #open(limits: Limits, ownLockTimeout = false): Message {
    // A file that runs statement by statement may have made read-only the default.
    const message = new Message().add('BEGIN READ WRITE');
    if (!ownLockTimeout) message.add(`SET LOCAL lock_timeout = ${limits.lockTimeoutMs}`);
    return limits.statementTimeoutMs > 0
      ? message.add(`SET LOCAL statement_timeout = ${limits.statementTimeoutMs}`)
      : message;
  }

  /** First in the transaction: a second, lockless runner stops at it before its DDL. */
  #historyRow(step: StepScript): string[] {
    const { table } = this.#context.relation;
    const { version } = step;
    return step.direction === 'up'
      ? [`INSERT INTO ${table} (version, checksum) VALUES (${literal(version)}, ${literal(step.migration.up.checksum)})`]
      : [`DELETE FROM ${table} WHERE version = ${literal(version)}`];
  }

  /** The journal's row and the fence in one: its NOT NULL event is null unless this backend still holds the lock. */
  #fencedRow(
    values: JournalValues,
    { durationSql, sameTransaction, next }: { readonly durationSql?: string; readonly sameTransaction?: string | undefined; readonly next?: StepScript | undefined } = {},
  ): string[] {
    const { relation, runner } = this.#context;
    const eventSql = ifStillHeld(relation.key, literal(values.event));
    const runSql = sameTransaction === undefined ? undefined : `CASE WHEN ${sameTransaction} THEN ${literal(runner.run)} END`;
    // What the script has set for itself must not end what is ours.
    const rows = [journalRow(relation.journal, runner, values, { eventSql, durationSql, runSql })];
    if (next) rows.push(journalRow(relation.journal, runner, { event: 'started', step: next }));
    return ['SET LOCAL statement_timeout = 0', ...asOurselves(this.#context), insertRows(relation.journal, rows)];
  }

  #insert(values: JournalValues): string {
    return journalInsert(this.#context.relation.journal, this.#context.runner, values);
  }

  async #send(step: StepScript, message: Message, what: { readonly unit?: Unit; readonly unread?: boolean } = {}): Promise<void> {
    const { relation, wire } = this.#context;
    // Lost before it was sent: then it is known that nothing of it ran.
    wire.lost.throwIfAborted();
    try {
      await wire.transaction(message.text.replace(/;\n$/, ''), { keepRows: false });
    } catch (error) {
      throw stepError(error, step, { message, relation, ...what });
    }
  }
}

function factsOf(step: StepScript, unit: Pick<Unit, 'index' | 'sql'>): Pick<JournalValues, 'step' | 'statement' | 'statementChecksum'> {
  return { step, statement: unit.index, statementChecksum: checksum(unit.sql) };
}

/** A setting of ours: the step that the session was made ready for. */
const READY = 'lockstep.ready';

const DURATION_SQL =
  'pg_catalog.round(extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.now()) * 1000)';
