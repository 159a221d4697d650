/** Runs migrations: history row, script and fence as one message, or statement by statement. */
import type { MigratorError } from '../../../core/errors.ts';
import { checksum } from '../../../core/migration.ts';
import type { Executor, IndexState, Limits, StepScript } from '../../../core/ports.ts';
import type { Blocker } from '../../../core/runner.ts';
import { givesWayAlone } from '../../../core/sql/gives-way.ts';
import type { TableSize } from '../../../core/outcome.ts';
import type { ConcurrentIndex, RelationName, Reindexed, SqlPiece, Unit } from '../../../core/sql/script-plan.ts';
import type { SessionContext } from '../state/context.ts';
import { lockHoldersOn } from '../state/observe.ts';
import { OWN_LOCK_TIMEOUT_MS, setStatement } from '../state/settings.ts';
import { writeTables } from '../state/use-tables.ts';
import { journalInsert, type JournalValues } from '../tables/journal-entries.ts';
import { addRecord, afterSource, DURATION_SQL, historyRow, useTables } from '../tables/record.ts';
import { Message } from '../wire/message.ts';
import { BEGIN, ENTER_OWN_PATH, LEAVE_OWN_PATH } from '../wire/own-path.ts';
import { detachState, finalizeDetach, type Detachment } from './detachment.ts';
import { dropIndex, dropReindexLeftovers, indexState } from './indexes.ts';
import { committedByFile, partlyCommitted, watchCommits } from './partly-committed.ts';
import { lookingCloser, ownMessage, send } from './send.ts';
import { stepError } from './step-error.ts';
import { StepStart } from './step-start.ts';

type StatementText = Pick<Unit, 'index' | 'sql' | 'whole'>;

export class PostgresExecutor implements Executor {
  readonly #context: SessionContext;
  readonly #start: StepStart;

  constructor(context: SessionContext) {
    this.#context = context;
    this.#start = new StepStart(context);
  }

  async begin(step: StepScript): Promise<void> {
    await lookingCloser(() => this.#start.begin(step));
  }

  async transaction(step: StepScript, pieces: readonly SqlPiece[], limits: Limits, next?: StepScript): Promise<void> {
    const { pooled, wire } = this.#context;
    const start = this.#start;
    const unread = pieces.find((piece) => piece.unread)?.unread;
    // A pooler takes a session for idle after the first answer, and keeps it if this run is killed before the second
    // one. A message behind a file that could not be parsed may arrive as the data of its COPY.
    const alone = pooled || unread !== undefined;
    await lookingCloser(async () => {
      if (pooled) await start.begin(step);
      // All messages are sent before the first is answered. If the step fails, the ones behind it do no harm.
      const [begun, ran] = await Promise.allSettled(
        wire.together(() => {
          const begin = start.begin(step);
          const run = send(this.#context, this.#scriptMessage(step, pieces, limits, next), { step, unread });
          if (alone) return [begin, run] as const;
          if (!next) return [begin, run, start.leaveNothing()] as const;
          // Nobody waits for this answer: the server resets the session while the answer to the script is on its way.
          start.makeReady(next, { isRecorded: true }).catch(() => undefined);
          return [begin, run] as const;
        }),
      );
      // After a lost connection, nobody knows which of the two messages still arrived.
      if (begun.status === 'rejected' && !wire.lost.aborted) throw begun.reason;
      if (ran.status === 'fulfilled') return;
      throw (unread ? await committedByFile(this.#context, step, ran.reason) : undefined) ?? ran.reason;
    });
    if (alone && !next) await start.leaveNothing();
    start.recorded = next;
  }

  #scriptMessage(step: StepScript, pieces: readonly SqlPiece[], limits: Limits, next?: StepScript): Message {
    const message = this.#open(limits).add(
      ...ENTER_OWN_PATH,
      `SET LOCAL lock_timeout = ${OWN_LOCK_TIMEOUT_MS}`,
      this.#start.unlessReady(step),
    );
    useTables(this.#context, message).addOwn('row', historyRow(this.#context, step)).add(LEAVE_OWN_PATH);
    let lockTimeout: number | undefined;
    for (const piece of pieces) {
      const wanted = piece.blocking ? limits.lockTimeoutMs : 0;
      if (wanted !== lockTimeout) message.add(`SET LOCAL lock_timeout = ${wanted}`);
      lockTimeout = wanted;
      message.addSource(piece);
    }
    afterSource(this.#context, message);
    const values = { event: endOf(step), step } as const;
    addRecord(this.#context, message, values, { durationSql: DURATION_SQL, rowOf: step, next });
    return message.add(LEAVE_OWN_PATH, 'COMMIT');
  }

  async statement(step: StepScript, unit: Unit, limits: Limits): Promise<void> {
    await lookingCloser(async () => {
      const message = this.#open(limits);
      if (unit.ownLockTimeout !== true)
        message.add(`SET LOCAL lock_timeout = ${unit.blocking ? limits.lockTimeoutMs : 0}`);
      useTables(this.#context, afterSource(this.#context, message.addSource(unit)));
      const values = { event: 'statement done', ...factsOf(step, unit) } as const;
      addRecord(this.#context, message, values, { durationSql: DURATION_SQL });
      await send(this.#context, message.add(LEAVE_OWN_PATH, 'COMMIT'), { step, unit });
    });
  }

  async statementAlone(step: StepScript, unit: Unit, limits: Limits): Promise<void> {
    const { relation, wire } = this.#context;
    await this.#note({ event: 'statement started', ...factsOf(step, unit), statementSql: unit.sql });
    // A procedure or DO block that commits begins its next transaction with the session's default.
    const settings: [string, string][] = [['default_transaction_isolation', 'read committed']];
    const givesWay = givesWayAlone(unit) && unit.ownLockTimeout !== true;
    if (givesWay) settings.push(['lock_timeout', String(limits.lockTimeoutMs)]);
    if (limits.statementTimeoutMs > 0) settings.push(['statement_timeout', String(limits.statementTimeoutMs)]);
    await wire.message(setStatement(settings));
    const message = new Message(wire.encoding.encode).addSource(unit);
    const hasCommitted = await watchCommits(wire, unit);
    try {
      await wire.asIs(message.text, { keepRows: false, promptly: false });
    } catch (cause) {
      const error = stepError(cause, step, { message, relation, unit });
      throw (await hasCommitted()) ? partlyCommitted(error, step) : error;
    } finally {
      // Neither the next statement nor the clean-up after this one gives way.
      if (givesWay && !wire.lost.aborted)
        await wire.message(setStatement([['lock_timeout', '0']])).catch(() => undefined);
    }
  }

  async statementFailed(step: StepScript, unit: Pick<Unit, 'index' | 'sql'>): Promise<void> {
    await this.#note({ event: 'statement failed', ...factsOf(step, unit) });
  }

  async statementDone(step: StepScript, unit: StatementText, durationMs: number): Promise<void> {
    await lookingCloser(async () => {
      const message = ownMessage(this.#context);
      addRecord(this.#context, message, { event: 'statement done', ...factsOf(step, unit), durationMs });
      await send(this.#context, message.add('COMMIT'), { step });
    });
  }

  async finish(step: StepScript, durationMs: number): Promise<void> {
    await lookingCloser(async () => {
      const message = ownMessage(this.#context).addOwn('row', historyRow(this.#context, step));
      addRecord(this.#context, message, { event: endOf(step), step, durationMs }, { rowOf: step });
      await send(this.#context, message.add('COMMIT'), { step });
    });
    this.#start.recorded = undefined;
    await this.#start.leaveNothing();
  }

  async withdraw(error: MigratorError): Promise<void> {
    const { recorded } = this.#start;
    if (recorded) await this.#note({ event: 'failed', step: recorded, error });
  }

  blockersOf(pieces: readonly Pick<SqlPiece, 'relations'>[]): Promise<readonly Blocker[]> {
    return lockHoldersOn(
      this.#context.wire,
      pieces.flatMap(({ relations }) => relations),
    );
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

  async tableSizes(tables: readonly RelationName[]): Promise<readonly (TableSize | undefined)[]> {
    const { tableSizes } = await import('./table-sizes.ts');
    return await tableSizes(this.#context, tables);
  }

  #open({ statementTimeoutMs }: Limits): Message {
    // A file that runs statement by statement may have changed the default to read-only.
    const message = new Message(this.#context.wire.encoding.encode).add(BEGIN.write);
    return statementTimeoutMs > 0 ? message.add(`SET LOCAL statement_timeout = ${statementTimeoutMs}`) : message;
  }

  async #note(values: JournalValues): Promise<void> {
    const { relation, runner } = this.#context;
    await writeTables(this.#context, [journalInsert(relation.journal, runner, values)]);
  }
}

/** The journal event with which a step ends. */
function endOf({ direction }: StepScript): 'applied' | 'rolled back' {
  return direction === 'up' ? 'applied' : 'rolled back';
}

function factsOf(
  step: StepScript,
  unit: StatementText,
): Pick<JournalValues, 'step' | 'statement' | 'statementChecksum'> {
  return { step, statement: unit.index, statementChecksum: checksum(unit.whole ?? unit.sql) };
}
