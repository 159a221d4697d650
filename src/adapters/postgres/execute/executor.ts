/** Sends migrations: the row, the script and the fence as one message, or statement by statement. */
import { MigratorError } from '../../../core/errors.ts';
import { checksum } from '../../../core/migration.ts';
import { givesWayAlone } from '../../../core/sql/gives-way.ts';
import type {
  ConcurrentIndex,
  RelationName,
  Reindexed,
  SqlPiece,
  Unit,
  Unread,
} from '../../../core/sql/script-plan.ts';
import type { Executor, IndexState, Limits, StepScript } from '../../../core/ports.ts';
import type { Blocker } from '../../../core/runner.ts';
import type { SessionContext } from '../state/context.ts';
import { detachState, finalizeDetach, type Detachment } from './detachment.ts';
import { CALLER_RESET_STATEMENTS } from '../state/caller-settings.ts';
import { dropIndex, dropReindexLeftovers, indexState } from './indexes.ts';
import { journalInsert, type JournalValues } from '../tables/journal-entries.ts';
import { Message } from '../wire/message.ts';
import { BEGIN, ENTER_OWN_PATH, LEAVE_OWN_PATH, OWN_PATH } from '../wire/own-path.ts';
import { chosenStatements, OWN_LOCK_TIMEOUT_MS, RESET_STATEMENTS, setStatement } from '../state/settings.ts';
import { resultsBefore } from '../wire/simple-query.ts';
import { literal } from '../wire/sql.ts';
import { lockHoldersOn } from '../state/observe.ts';
import { partlyCommitted, watchCommits } from './partly-committed.ts';
import { addRecord, afterSource, DURATION_SQL, historyRow, useTables } from '../tables/record.ts';
import { rowEstimates } from './row-estimates.ts';
import { stepError } from './step-error.ts';
import { newestStored } from '../tables/stored-downs.ts';
import { explainGuard, ownLimits, withTableHolders, writeTables } from '../state/use-tables.ts';

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
    await this.#closely(() => this.#makeReady(step, { journaled: this.#started === step }).answered);
    this.#started = step;
  }

  /** Sent once for a step, unless it fails. `journaled`: that it started is or will be said elsewhere. */
  #makeReady(step: StepScript, { journaled }: { readonly journaled: boolean }): Ready {
    if (this.#ready?.step === step) return this.#ready;
    const message = new Message(this.#context.wire.encoding.encode).add(...this.#reset([READY, this.#markOf(step)]));
    if (!journaled) {
      message.add(OWN_PATH, ...ownLimits(this.#context));
      // Only for people who look while it runs: not worth waiting for the disk.
      useTables(this.#context, message).add(
        'SET LOCAL synchronous_commit = off',
        this.#insert({ event: 'started', step }),
      );
    }
    const ready = { step, answered: this.#sendOurs(message.add('COMMIT')) };
    this.#ready = ready;
    ready.answered.catch(() => {
      if (this.#ready === ready) this.#ready = undefined;
    });
    return ready;
  }

  /** Begins a transaction in which the session becomes what it was before any migration. */
  #reset(...more: readonly (readonly [name: string, value: string])[]): string[] {
    const { accepted, callerSettings: callerSettings, settings } = this.#context;
    return [
      BEGIN.write,
      ...(callerSettings ? CALLER_RESET_STATEMENTS : RESET_STATEMENTS),
      setStatement([...accepted, ...more]),
      ...chosenStatements(settings),
    ];
  }

  /** Nothing that the last script left is there while a hook runs, or at the end of the run. */
  async #leaveNothing(): Promise<void> {
    // Whoever tries the script again has to make the session ready again.
    this.#ready = undefined;
    await this.#context.wire
      .transactionAsIs([...this.#reset(), 'COMMIT'].join(';\n'), { keepRows: false })
      .catch(() => undefined);
  }

  transaction(step: StepScript, pieces: readonly SqlPiece[], limits: Limits, next?: StepScript): Promise<void> {
    return this.#closely(() => this.#runTransaction(step, pieces, limits, next));
  }

  async #runTransaction(
    step: StepScript,
    pieces: readonly SqlPiece[],
    limits: Limits,
    next?: StepScript,
  ): Promise<void> {
    const { wire } = this.#context;
    // A pooler takes a session for idle after the first answer, and keeps it if we are killed before the second. What is sent
    // behind a file that nobody could read may arrive as the data of its COPY.
    const alone = this.#context.pooled || pieces.some((piece) => piece.unread !== undefined);
    if (this.#context.pooled) await this.begin(step);
    // All are on their way before the first is answered.
    const sent = wire.together(() => {
      const steps = [this.begin(step), this.#transaction(step, pieces, limits, next)] as const;
      // If the step fails, what follows does no harm.
      if (next && !alone) this.#makeReady(next, { journaled: true });
      return [...steps, next || alone ? Promise.resolve() : this.#leaveNothing()] as const;
    });
    const [begun, ran] = await Promise.allSettled(sent);
    // Of a lost connection nobody knows which of the two it still carried.
    if (begun.status === 'rejected' && !wire.lost.aborted) throw begun.reason;
    if (ran.status === 'rejected') throw ran.reason;
    if (alone && !next) await this.#leaveNothing();
    this.#started = next;
  }

  async #transaction(
    step: StepScript,
    pieces: readonly SqlPiece[],
    limits: Limits,
    next: StepScript | undefined,
  ): Promise<void> {
    const message = this.#open(limits).add(
      ...ENTER_OWN_PATH,
      `SET LOCAL lock_timeout = ${OWN_LOCK_TIMEOUT_MS}`,
      this.#unlessReady(step),
    );
    useTables(this.#context, message).addOwn('row', historyRow(this.#context, step)).add(LEAVE_OWN_PATH);
    let lockTimeout: number | undefined;
    for (const piece of pieces) {
      const wanted = piece.blocking ? limits.lockTimeoutMs : 0;
      if (wanted !== lockTimeout) message.add(`SET LOCAL lock_timeout = ${wanted}`);
      lockTimeout = wanted;
      message.addSource(piece);
    }
    const unread = pieces.find((piece) => piece.unread)?.unread;
    const event = step.direction === 'up' ? 'applied' : 'rolled back';
    afterSource(this.#context, message);
    addRecord(this.#context, message, { event, step }, { durationSql: DURATION_SQL, rowOf: step, next });
    try {
      await this.#send(step, message.add(LEAVE_OWN_PATH, 'COMMIT'), { unread });
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

  /** After a failure the row is to be as it was before; one that is not was committed by the file itself. */
  async #committedInPart(step: StepScript, error: unknown): Promise<MigratorError | undefined> {
    const {
      relation: { journal, table },
      wire,
    } = this.#context;
    // Then the row is somebody else's.
    if (wire.lost.aborted || (error instanceof MigratorError && error.code === 'HISTORY_CONFLICT')) return undefined;
    const version = literal(step.version);
    const undo =
      step.direction === 'up'
        ? `DELETE FROM ${table} WHERE version = ${version}`
        : `INSERT INTO ${table} (version, checksum) SELECT ${version}, (${newestStored(journal, 'checksum', step.version)}) WHERE NOT EXISTS (SELECT version FROM ${table} WHERE version = ${version})`;
    const [undone] = await writeTables(this.#context, [`${undo} RETURNING 1`]).catch(() => []);
    if (undone?.rows.length !== 1) return undefined;
    return new MigratorError(
      'MIGRATION_FAILED',
      `${step.script.file} ended the transaction that it ran in, and failed after that`,
      {
        version: step.version,
        hint: 'what stands before its COMMIT is in the database, and not recorded: undo that by hand, then take the COMMIT out of the file',
      },
    );
  }

  statement(step: StepScript, unit: Unit, limits: Limits): Promise<void> {
    return this.#closely(() => this.#statement(step, unit, limits));
  }

  async #statement(step: StepScript, unit: Unit, limits: Limits): Promise<void> {
    const message = this.#open(limits);
    if (unit.ownLockTimeout !== true)
      message.add(`SET LOCAL lock_timeout = ${unit.blocking ? limits.lockTimeoutMs : 0}`);
    useTables(this.#context, afterSource(this.#context, message.addSource(unit)));
    addRecord(
      this.#context,
      message,
      { event: 'statement done', ...factsOf(step, unit) },
      { durationSql: DURATION_SQL },
    );
    await this.#send(step, message.add(LEAVE_OWN_PATH, 'COMMIT'), { unit });
  }

  async statementAlone(step: StepScript, unit: Unit, limits: Limits): Promise<void> {
    const { relation, wire } = this.#context;
    await this.#note({ event: 'statement started', ...factsOf(step, unit), statementSql: unit.sql });
    // A procedure or DO block that commits begins its transactions by the session's default.
    const settings: [string, string][] = [['default_transaction_isolation', 'read committed']];
    const givesWay = givesWayAlone(unit) && unit.ownLockTimeout !== true;
    if (givesWay) settings.push(['lock_timeout', String(limits.lockTimeoutMs)]);
    if (limits.statementTimeoutMs > 0) settings.push(['statement_timeout', String(limits.statementTimeoutMs)]);
    await wire.message(setStatement(settings));
    const message = new Message(this.#context.wire.encoding.encode).addSource(unit);
    const hasCommitted = await watchCommits(wire, unit);
    try {
      await wire.asIs(message.text, { keepRows: false, promptly: false });
    } catch (cause) {
      const error = stepError(cause, step, { message, relation, unit });
      throw (await hasCommitted()) ? partlyCommitted(error, step) : error;
    } finally {
      // Neither what comes next nor the clean-up after this one is to give way.
      if (givesWay && !wire.lost.aborted)
        await wire.message(setStatement([['lock_timeout', '0']])).catch(() => undefined);
    }
  }

  async statementFailed(step: StepScript, unit: Pick<Unit, 'index' | 'sql'>): Promise<void> {
    await this.#note({ event: 'statement failed', ...factsOf(step, unit) });
  }

  async #note(values: JournalValues): Promise<void> {
    await writeTables(this.#context, [this.#insert(values)]);
  }

  async statementDone(step: StepScript, unit: StatementText, durationMs: number): Promise<void> {
    await this.#closely(async () => {
      const message = this.#ours();
      addRecord(this.#context, message, { event: 'statement done', ...factsOf(step, unit), durationMs });
      await this.#send(step, message.add('COMMIT'));
    });
  }

  async finish(step: StepScript, durationMs: number): Promise<void> {
    const event = step.direction === 'up' ? 'applied' : 'rolled back';
    await this.#closely(async () => {
      const message = this.#ours().addOwn('row', historyRow(this.#context, step));
      addRecord(this.#context, message, { event, step, durationMs }, { rowOf: step });
      await this.#send(step, message.add('COMMIT'));
    });
    this.#started = undefined;
    await this.#leaveNothing();
  }

  /** A transaction that has nothing of a file. */
  #ours(): Message {
    return useTables(
      this.#context,
      new Message(this.#context.wire.encoding.encode).add(BEGIN.write, OWN_PATH, ...ownLimits(this.#context)),
    );
  }

  async withdraw(error: MigratorError): Promise<void> {
    if (this.#started) await this.#note({ event: 'failed', step: this.#started, error });
  }

  blockersOf(pieces: readonly SqlPiece[]): Promise<readonly Blocker[]> {
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

  rowEstimates(tables: readonly RelationName[]): Promise<readonly (number | undefined)[]> {
    return rowEstimates(this.#context, tables);
  }

  #open({ statementTimeoutMs }: Limits): Message {
    // A file that runs statement by statement may have made read-only the default.
    const message = new Message(this.#context.wire.encoding.encode).add(BEGIN.write);
    return statementTimeoutMs > 0 ? message.add(`SET LOCAL statement_timeout = ${statementTimeoutMs}`) : message;
  }

  #insert(values: JournalValues): string {
    return journalInsert(this.#context.relation.journal, this.#context.runner, values);
  }

  async #send(
    step: StepScript,
    message: Message,
    what: { readonly unit?: Unit; readonly unread?: Unread | undefined } = {},
  ): Promise<void> {
    const { relation, wire } = this.#context;
    // Lost before it was sent: then it is known that nothing of it ran.
    wire.lost.throwIfAborted();
    try {
      await this.#sendOurs(message);
    } catch (error) {
      throw error instanceof LookCloser ? error : stepError(error, step, { message, relation, ...what });
    }
  }

  /** Once more when the guard has found what is no harm when it is looked at closely; nothing of the first time is left. */
  async #closely<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof LookCloser)) throw error;
      return await attempt();
    }
  }

  /** Says what has kept us from the tables. */
  async #sendOurs(message: Message): Promise<void> {
    try {
      await this.#context.wire.transactionAsIs(message.text.replace(/;\n$/, ''), {
        keepRows: false,
        promptly: !message.hasSource,
      });
    } catch (error) {
      const failed = message.ownFailure(resultsBefore(error));
      if (failed === 'guard') throw (await explainGuard(this.#context, error)) ?? new LookCloser();
      throw failed === 'tables' ? await withTableHolders(this.#context, 'both', error) : error;
    }
  }
}

/** Never leaves this file. */
class LookCloser extends Error {}

type StatementText = Pick<Unit, 'index' | 'sql' | 'whole'>;

function factsOf(
  step: StepScript,
  unit: StatementText,
): Pick<JournalValues, 'step' | 'statement' | 'statementChecksum'> {
  return { step, statement: unit.index, statementChecksum: checksum(unit.whole ?? unit.sql) };
}

const READY = 'lockstep.ready';
