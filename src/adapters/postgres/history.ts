/** The history table and the journal of one session. */
import type { HistoryState, JournalEntry } from '../../core/history.ts';
import type { Migration } from '../../core/migration.ts';
import type { History, StatementProgress, StepScript } from '../../core/ports.ts';
import { historyQuery, readHistory } from './check.ts';
import { asOurselves, type SessionContext } from './context.ts';
import { journalInsert, journalSelect, readJournal, type JournalValues } from './journal.ts';
import { literal } from './sql.ts';
import { ensureTables } from './tables.ts';

export class PostgresHistory implements History {
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  async ensureTables(): Promise<void> {
    await ensureTables(this.#context);
  }

  async read(): Promise<HistoryState> {
    const { relation, wire } = this.#context;
    if (!relation.exists) return { exists: false, applied: [] };
    const results = await wire.transaction(
      `BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;\n${historyQuery(relation.table)};\nCOMMIT`,
    );
    const rows = results.find((result) => result.command === 'SELECT');
    return { exists: true, applied: rows ? readHistory(rows) : [] };
  }

  async startRun(): Promise<readonly JournalEntry[]> {
    const { relation, wire } = this.#context;
    const [lost] = await wire.message(unfinishedRunsQuery(relation.journal));
    const runs = readJournal(lost);
    await this.#write(
      ...runs.map((entry) => this.#lostRun(entry)),
      this.#insert({ event: 'run started' }),
    );
    return runs;
  }

  /** The lock is ours, so whoever started and never said how it ended is gone. */
  #lostRun(entry: JournalEntry): string {
    const { relation, runner } = this.#context;
    return journalInsert(
      relation.journal,
      { ...runner, run: entry.run },
      { event: 'run lost', error: 'the runner was gone before it could say how the run ended' },
    );
  }

  async endRun(error: string | undefined): Promise<void> {
    await this.#write(this.#insert({ event: 'run ended', ...(error !== undefined && { error }) }));
  }

  async recordFailure(step: StepScript, error: string): Promise<void> {
    await this.#write(this.#insert({ event: 'failed', step, error }));
  }

  async statementsOf(step: StepScript): Promise<StatementProgress> {
    const { relation, wire } = this.#context;
    const [result] = await wire.message(statementsQuery(relation.journal, step));
    const done: string[] = [];
    let startedIndex: number | undefined;
    for (const [event, statement, checksum] of result?.rows ?? []) {
      const index = Number(statement);
      if (event === 'statement started') {
        startedIndex = index;
      } else {
        done[index - 1] = checksum ?? '';
        startedIndex = undefined;
      }
    }
    return { done, startedIndex };
  }

  async baseline(migrations: readonly Migration[]): Promise<void> {
    const { relation } = this.#context;
    await this.#write(
      ...migrations.flatMap((migration) => [
        `INSERT INTO ${relation.table} (version, checksum) VALUES (${literal(migration.version)}, ${literal(migration.up.checksum)})`,
        this.#insert({
          event: 'baselined',
          step: { version: migration.version, direction: 'up', script: migration.up, migration },
        }),
      ]),
    );
  }

  async completeChecksums(migrations: readonly Migration[]): Promise<void> {
    const { relation } = this.#context;
    await this.#write(
      ...migrations.map(
        ({ version, up }) =>
          `UPDATE ${relation.table} SET checksum = ${literal(up.checksum)}` +
          ` WHERE version = ${literal(version)} AND checksum IS NULL`,
      ),
    );
  }

  async journal(): Promise<readonly JournalEntry[]> {
    const { relation, wire } = this.#context;
    if (!relation.complete) return [];
    const [result] = await wire.message(journalSelect(relation.journal));
    return readJournal(result);
  }

  #insert(values: JournalValues): string {
    return journalInsert(this.#context.relation.journal, this.#context.runner, values);
  }

  async #write(...statements: readonly string[]): Promise<void> {
    if (statements.length === 0) return;
    await this.#context.wire.transaction(
      ['BEGIN', ...asOurselves(this.#context), ...statements, 'COMMIT'].join(';\n'),
    );
  }
}

function unfinishedRunsQuery(journal: string): string {
  return (
    `SELECT pg_catalog.to_jsonb(s) || pg_catalog.jsonb_build_object('version', (SELECT t.version FROM ${journal} t` +
    ` WHERE t.run = s.run AND t.version IS NOT NULL ORDER BY t.id DESC LIMIT 1))` +
    ` FROM ${journal} s WHERE s.event = 'run started'` +
    ` AND NOT EXISTS (SELECT 1 FROM ${journal} e WHERE e.run = s.run AND e.event IN ('run ended', 'run lost'))` +
    ` ORDER BY s.id`
  );
}

/** Statements since this version last came to an end. */
function statementsQuery(journal: string, { version, direction }: StepScript): string {
  const ofVersion = `version = ${literal(version)}`;
  return (
    `SELECT event, statement, checksum FROM ${journal} WHERE ${ofVersion} AND direction = ${literal(direction)}` +
    ` AND event IN ('statement started', 'statement done')` +
    ` AND id > coalesce((SELECT pg_catalog.max(id) FROM ${journal} WHERE ${ofVersion}` +
    ` AND event IN ('applied', 'rolled back', 'baselined')), 0) ORDER BY id`
  );
}
