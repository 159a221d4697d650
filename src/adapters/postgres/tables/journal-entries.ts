/** The journal's entries: how they are written and read. */
import { publicWordsOf } from '../../../core/brief-error.ts';
import type { ErrorCode, MigratorError } from '../../../core/errors.ts';
import type { JournalEntry, JournalEvent, JournalHeldVersion } from '../../../core/history.ts';
import type { Direction, Version } from '../../../core/migration.ts';
import { cutMiddle } from '../../../core/text/one-line.ts';
import type { StepScript } from '../../../core/ports.ts';
import { runnerName, type RunnerIdentity } from '../../../core/runner.ts';
import { isIrreversible } from '../../../core/plan/stored-down.ts';
import { holdSql } from './held-versions.ts';
import { journalRows } from './journal-table.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { literal } from '../wire/sql.ts';
import { newestStored } from './stored-downs.ts';

/** The columns of a row; values are SQL expressions only where the name says so. */
export interface JournalValues {
  readonly event: JournalEvent;
  readonly step?: StepScript;
  /** Where there is no step. */
  readonly version?: Version;
  readonly direction?: Direction;
  readonly statement?: number;
  readonly statementChecksum?: string;
  /** Of *statement started*: its text, by which it is known also when the file has another one there. */
  readonly statementSql?: string;
  readonly durationMs?: number;
  readonly error?: MigratorError;
  /** Of *held* and *hold ended*: why. */
  readonly reason?: string | undefined;
  /** What is stored for rolling back goes on being so; `irreversible`: but is not to run any more. */
  readonly keepsStored?: true | 'irreversible';
}

/** These entries store down SQL, so that an image without the file can roll back too. */
const KEEPS_DOWN: ReadonlySet<JournalEvent> = new Set(['applied', 'baselined', 'repaired', 'down stored']);

/** The journal keeps a failure of every restart, for ever. */
const MAX_ERROR_BYTES = 2_000;

/** An INSERT of one row. */
export function journalInsert(journal: string, runner: RunnerIdentity, values: JournalValues): string {
  return insertRows(journal, [journalRow(journal, runner, values)]);
}

/** SQL by column; NULL where there is nothing. */
type JournalRowSql = Readonly<Record<string, string>>;

/** `durationSql` replaces the plain value by an expression of the server's. */
export function journalRow(
  journal: string,
  runner: RunnerIdentity,
  values: JournalValues,
  { durationSql }: { readonly durationSql?: string | undefined } = {},
): JournalRowSql {
  const { step, error } = values;
  const { version, direction } = step ?? values;
  return {
    ...runnerColumns(runner),
    event: literal(values.event),
    version: literal(version),
    direction: literal(direction),
    statement: literal(values.statement),
    duration_ms: durationSql ?? literal(values.durationMs),
    code: literal(error?.code),
    error: literal(error && errorText(error)),
    file: literal(error?.details.location?.file),
    line: literal(error?.details.location?.line),
    sqlstate: literal(error?.details.server?.sqlstate),
    checksum: literal(values.statementChecksum ?? step?.script.checksum),
    ...(values.keepsStored ? keptColumns(journal, values) : downColumns(values)),
    hold: holdSql(journal, runner, values),
    statement_sql: literal(values.statementSql),
  };
}

/** Names only columns that have a value: each statement, column and NULL costs the server time. */
export function insertRows(journal: string, rows: readonly JournalRowSql[]): string {
  const columns = Object.keys(rows[0] ?? {}).filter((column) => rows.some((row) => row[column] !== 'NULL'));
  const lists = rows.map((row) => `(${columns.map((column) => row[column]).join(', ')})`);
  return `INSERT INTO ${journal} (${columns.join(', ')}) VALUES ${lists.join(', ')}`;
}

function runnerColumns(runner: RunnerIdentity) {
  const { run, command, release, image, productVersion } = runner;
  return {
    run: literal(run),
    command: literal(command),
    runner: literal(runnerName(runner)),
    release: literal(release),
    image: literal(image),
    lockstep: literal(productVersion),
  };
}

type DownColumns = Record<'down_sql' | 'down_checksum' | 'irreversible', string>;

/** The values of the newest entry that stores down SQL. */
function keptColumns(journal: string, { step, version, keepsStored }: JournalValues): DownColumns {
  const kept = (column: string): string => `(${newestStored(journal, column, step?.version ?? version ?? '')})`;
  return {
    down_sql: kept('down_sql'),
    down_checksum: kept('down_checksum'),
    irreversible: keepsStored === 'irreversible' ? 'true' : kept('irreversible'),
  };
}

function downColumns({ event, step }: JournalValues): DownColumns {
  const kept = KEEPS_DOWN.has(event) && step?.direction === 'up' ? step.migration : undefined;
  return {
    down_sql: literal(kept?.down?.text),
    down_checksum: literal(kept?.down?.checksum),
    irreversible: kept ? String(isIrreversible(kept)) : 'NULL',
  };
}

/** More roles may read the journal than may read the rows that an error can quote. */
function errorText(error: MigratorError): string {
  const { summary, message } = publicWordsOf(error);
  const { server } = error.details;
  return cutMiddle(server ? `${summary}: ${message} (${server.sqlstate})` : summary, MAX_ERROR_BYTES);
}

export function journalSelect(journal: string): string {
  return `SELECT to_jsonb(j) - 'down_sql' - 'statement_sql' FROM ${journalRows(journal)} j ORDER BY j.id`;
}

interface JournalRow {
  readonly id: number;
  readonly at: string;
  readonly run: string;
  readonly event: JournalEvent;
  readonly [column: string]: unknown;
}

export function readJournal(result: ResultSet | undefined): JournalEntry[] {
  return (result?.rows ?? []).map(([json]) => {
    const row = JSON.parse(json ?? '{}') as JournalRow;
    const text = (column: string): string | undefined => (row[column] as string | null) ?? undefined;
    const number = (column: string): number | undefined => (row[column] as number | null) ?? undefined;
    return {
      id: String(row.id),
      at: new Date(row.at),
      run: row.run,
      event: row.event,
      command: text('command'),
      version: text('version'),
      direction: text('direction') as Direction | undefined,
      statement: number('statement'),
      durationMs: number('duration_ms'),
      code: text('code') as ErrorCode | undefined,
      error: text('error'),
      file: text('file'),
      line: number('line'),
      sqlstate: text('sqlstate'),
      runner: text('runner'),
      release: text('release'),
      image: text('image'),
      checksum: text('checksum'),
      hold: (row['hold'] as JournalHeldVersion | null) ?? undefined,
    };
  });
}
