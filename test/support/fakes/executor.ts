/** Runs migrations in one session on a FakeServer. */
import { codeForSqlstate } from '../../../src/adapters/postgres/wire/sqlstate.ts';
import { MigratorError } from '../../../src/core/errors.ts';
import { checksum } from '../../../src/core/migration.ts';
import type { Executor, IndexState, Limits, StepScript } from '../../../src/core/ports.ts';
import type { JournalEntry } from '../../../src/core/history.ts';
import type { Blocker } from '../../../src/core/runner.ts';
import type { TableSize } from '../../../src/core/outcome.ts';
import type { ConcurrentIndex, RelationName, Reindexed, SqlPiece, Unit } from '../../../src/core/sql/script-plan.ts';
import { write, type FakeContext } from './context.ts';
import { factsOf } from './journal.ts';
import { Refusal, type PartitionState } from './server.ts';

type Detachment = NonNullable<Unit['detaches']>;

export class FakeExecutor implements Executor {
  readonly #context: FakeContext;
  #begun: StepScript | undefined;
  /** The journal says so already. */
  #started: StepScript | undefined;

  constructor(context: FakeContext) {
    this.#context = context;
  }

  async begin(step: StepScript): Promise<void> {
    await this.#context.reach('executor.begin');
    if (this.#started !== step) write(this.#context, { event: 'started', ...factsOf(step) });
    this.#started = step;
    this.#begun = step;
  }

  async transaction(step: StepScript, pieces: readonly SqlPiece[], _limits: Limits, next?: StepScript): Promise<void> {
    this.#context.lost.throwIfAborted();
    // Both are in flight together: if the connection is lost now, it is unknown which of the two arrived.
    const begun = this.#begun === step ? undefined : this.begin(step);
    await begun?.catch((error: unknown) => {
      throw stepError(error, step);
    });
    const { server, peer } = this.#context;
    await this.#inStep('transaction', step, pieces, () => {
      server.atomically(() => {
        this.#row(step);
        for (const { sql } of pieces) server.execute(sql, peer);
        this.#fence(step);
        write(this.#context, {
          event: step.direction === 'up' ? 'applied' : 'rolled back',
          ...factsOf(step),
          ...this.#holdOf(step),
          durationMs: 0,
        });
        if (next) write(this.#context, { event: 'started', ...factsOf(next) });
      });
    });
    this.#started = next;
  }

  async statement(step: StepScript, unit: Unit, _limits: Limits): Promise<void> {
    const { server, peer } = this.#context;
    await this.#inStep('statement', step, [unit], () => {
      server.atomically(() => {
        server.execute(unit.sql, peer);
        this.#fence(step);
        write(this.#context, { event: 'statement done', ...unitFacts(step, unit), durationMs: 0 });
      });
    });
  }

  async statementAlone(step: StepScript, unit: Unit, _limits: Limits): Promise<void> {
    const { server, peer, reach } = this.#context;
    await reach('executor.statementStarted');
    write(this.#context, { event: 'statement started', ...unitFacts(step, unit) });
    server.startedSql.set(checksum(unit.sql), unit.sql);
    await this.#inStep('statementAlone', step, [unit], () => {
      server.execute(unit.sql, peer);
    });
  }

  async statementFailed(step: StepScript, unit: Pick<Unit, 'index' | 'sql'>): Promise<void> {
    await this.#context.reach('executor.statementFailed');
    write(this.#context, { event: 'statement failed', ...unitFacts(step, unit) });
  }

  async statementDone(step: StepScript, unit: Pick<Unit, 'index' | 'sql'>, durationMs: number): Promise<void> {
    await this.#inStep('statementDone', step, [], () => {
      this.#fence(step);
      write(this.#context, { event: 'statement done', ...unitFacts(step, unit), durationMs });
    });
  }

  async finish(step: StepScript, durationMs: number): Promise<void> {
    await this.#inStep('finish', step, [], () => {
      this.#context.server.atomically(() => {
        this.#row(step);
        this.#fence(step);
        write(this.#context, {
          event: step.direction === 'up' ? 'applied' : 'rolled back',
          ...factsOf(step),
          ...this.#holdOf(step),
          durationMs,
        });
      });
    });
    this.#started = undefined;
  }

  async withdraw(error: MigratorError): Promise<void> {
    if (!this.#started) return;
    await this.#context.reach('executor.withdraw');
    write(this.#context, { event: 'failed', ...factsOf(this.#started), code: error.code, error: error.summary });
  }

  async blockersOf(_pieces: readonly SqlPiece[]): Promise<readonly Blocker[]> {
    await this.#context.reach('executor.blockersOf');
    return this.#context.server.observation.blockers;
  }

  async indexState(index: ConcurrentIndex): Promise<IndexState> {
    await this.#context.reach('executor.indexState');
    return this.#context.server.contents.indexes.get(index.name) ?? 'absent';
  }

  async dropIndex(index: ConcurrentIndex): Promise<void> {
    await this.#context.reach('executor.dropIndex');
    this.#context.server.setIndex(index.name, 'absent');
  }

  async dropReindexLeftovers(_of: Reindexed): Promise<readonly string[]> {
    const { server, reach } = this.#context;
    await reach('executor.dropReindexLeftovers');
    const left = [...server.contents.indexes].flatMap(([name, state]) =>
      state === 'invalid' && /_cc(new|old)\d*$/.test(name) ? [name] : [],
    );
    for (const name of left) server.setIndex(name, 'absent');
    return left;
  }

  async detachState({ partition }: Detachment): Promise<PartitionState> {
    await this.#context.reach('executor.detachState');
    return this.#context.server.partitions.get(partition.name) ?? 'detached';
  }

  async finalizeDetach({ partition }: Detachment): Promise<void> {
    await this.#context.reach('executor.finalizeDetach');
    this.#context.server.partitions.set(partition.name, 'detached');
  }

  async tableSizes(tables: readonly RelationName[]): Promise<readonly (TableSize | undefined)[]> {
    await this.#context.reach('executor.tableSizes');
    return tables.map(({ name }) => {
      const rows = this.#context.server.rows.get(name);
      return rows === undefined ? undefined : { schema: 'public', name, rows, bytes: rows };
    });
  }

  /** The connection may be lost on the way to the server, and on the way back. */
  async #inStep(call: string, step: StepScript, pieces: readonly SqlPiece[], effect: () => void): Promise<void> {
    const { reach, server } = this.#context;
    try {
      await reach(`executor.${call}`);
      for (const { sql } of pieces) await server.beforeSql(sql);
      effect();
      await reach(`executor.${call} answered`);
    } catch (error) {
      throw stepError(error, step);
    }
  }

  #row(step: StepScript): void {
    const { server } = this.#context;
    const { version } = step;
    if (step.direction === 'down') {
      server.forget(version);
      server.storedDowns.delete(version);
      return;
    }
    server.record(version, step.migration.up.checksum);
    server.storeDown(step.migration);
  }

  /** The fields of the journal's row. */
  #holdOf(step: StepScript): Pick<JournalEntry, 'hold'> {
    const { server, runner } = this.#context;
    if (step.direction === 'up') return step.ends ? { hold: { reason: step.ends.because } } : {};
    const { version, reason } = step;
    if (step.hold) return { hold: server.holdOn(version, runner.release, reason) };
    return reason === undefined ? {} : { hold: { reason } };
  }

  #fence(step: StepScript): void {
    const { server, peer } = this.#context;
    if (server.holder === peer) return;
    throw new MigratorError('MIGRATION_FAILED', `${step.script.file} gave up the lock of this run; it was rolled back`);
  }
}

function unitFacts(
  step: StepScript,
  unit: Pick<Unit, 'index' | 'sql'>,
): ReturnType<typeof factsOf> & { statement: number } {
  return { ...factsOf(step), statement: unit.index, checksum: checksum(unit.sql) };
}

function stepError(error: unknown, step: StepScript): unknown {
  const { version } = step;
  if (error instanceof Refusal) {
    const server = { sqlstate: error.sqlstate, message: error.message };
    if (error.sqlstate === '23505') {
      return new MigratorError('HISTORY_CONFLICT', `${version} was recorded meanwhile`, { version });
    }
    const code = codeForSqlstate(error.sqlstate, 'in-step') ?? 'MIGRATION_FAILED';
    return new MigratorError(code, `${step.script.file} failed`, { version, server });
  }
  if (!(error instanceof MigratorError)) return error;
  return error.code === 'DATABASE_UNAVAILABLE'
    ? new MigratorError('OUTCOME_UNKNOWN', `the connection was lost while ${version} was running`, {
        version,
        cause: error,
      })
    : error.with({ version });
}
