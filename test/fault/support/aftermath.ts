/** The state of a database after all runners have ended: schema, rows, history, journal, locks, sessions. */
import { expect } from 'chai';

import { runMigrations } from '../../../src/index.ts';
import { ERRORS } from '../../../src/core/errors.ts';
import { eventually } from '../../support/bounded.ts';
import type { CliResult } from '../../support/cli.ts';
import type { Workspace } from '../../support/workspace.ts';
import { NEXT_RELEASE } from './walked-files.ts';

const OF_SCHEMA = `IN (SELECT oid FROM pg_class WHERE relnamespace = $1::regnamespace
  UNION ALL SELECT reltoastrelid FROM pg_class WHERE relnamespace = $1::regnamespace)`;

/**
 * Each query returns the same rows after every successful run of the same files. TOAST tables are named after their
 * tables.
 */
const CATALOG: Readonly<Record<string, string>> = {
  relations: `SELECT relname, relkind, relispartition FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind <> 'i' ORDER BY 1`,
  columns: `SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS initial
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = $1::regnamespace AND c.relkind <> 'i' AND a.attnum > 0 ORDER BY 1, 2`,
  constraints: `SELECT conrelid::regclass::text AS on, conname, convalidated, pg_get_constraintdef(oid) AS text
    FROM pg_constraint WHERE connamespace = $1::regnamespace ORDER BY 1, 2`,
  indexes: `SELECT i.indrelid::regclass::text AS on, c.relname, pg_get_indexdef(i.indexrelid) AS text, i.indisvalid, i.indisready, i.indislive, i.indisunique
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = $1::regnamespace ORDER BY 1, 2`,
  toast: `SELECT t.relname, i.indisvalid, i.indexrelid::regclass::text ~ '_cc(new|old)' AS leftover
    FROM pg_index i JOIN pg_class t ON t.reltoastrelid = i.indrelid WHERE t.relnamespace = $1::regnamespace ORDER BY 1, 2`,
  enums: `SELECT t.typname, e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
    WHERE t.typnamespace = $1::regnamespace ORDER BY 1, e.enumsortorder`,
  partitions: `SELECT inhparent::regclass::text AS parent, inhrelid::regclass::text AS partition, inhdetachpending
    FROM pg_inherits WHERE inhrelid ${OF_SCHEMA} ORDER BY 1, 2`,
};

export type State = Readonly<Record<string, unknown>>;

/** Everything except times and the journal, without the schema's name. */
export async function readState(workspace: Workspace): Promise<State> {
  const state: Record<string, unknown> = {};
  for (const [what, sql] of Object.entries(CATALOG)) {
    state[what] = await workspace.query(sql, sql.includes('$1') ? [workspace.schema] : []);
  }
  const tables = await workspace.query<{ relname: string }>(
    `SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND relname NOT LIKE 'schema_migrations%' ORDER BY 1`,
    [workspace.schema],
  );
  const rows: Record<string, unknown> = {};
  for (const { relname } of tables)
    rows[relname] = await workspace.query(`SELECT to_jsonb(t) AS row FROM ${relname} t ORDER BY to_jsonb(t)::text`);
  state['rows'] = rows;
  state['history'] = await workspace.query('SELECT version, checksum FROM schema_migrations ORDER BY 1');
  return JSON.parse(JSON.stringify(state).replaceAll(workspace.schema, 'the_schema')) as State;
}

/** The rows that differ; chai's own message truncates them. */
export function expectSameState(actual: State, expected: State): void {
  const differences = Object.keys(expected).flatMap((part) => {
    const [here, there] = [rowsOf(actual[part]), rowsOf(expected[part])];
    return [
      ...here.filter((row) => !there.includes(row)).map((row) => `${part}: only here: ${row}`),
      ...there.filter((row) => !here.includes(row)).map((row) => `${part}: not here: ${row}`),
    ];
  });
  expect(differences, `what differs from a run without a fault:\n${differences.join('\n')}\n`).to.deep.equal([]);
  expect(actual).to.deep.equal(expected);
}

function rowsOf(part: unknown): string[] {
  const rows = Array.isArray(part)
    ? part
    : Object.entries(part ?? {}).flatMap(([table, found]) => (found as unknown[]).map((row) => [table, row]));
  return rows.map((row) => JSON.stringify(row));
}

/** The exit codes of a run that lost its connection, its session or its hook's connection; none needs an operator. */
export const LOST = [30, 34, 35];

/** The run exits with a code of the list and reports the matching reason; a successful run reports success. */
export function expectDocumented(
  who: string,
  { code, signal, logs, stderr }: CliResult,
  allowed: readonly number[],
): void {
  expect(signal, `${who} was ended by a signal\n${stderr}`).to.equal(null);
  expect(code, `exit of ${who}\n${stderr}`).to.be.oneOf([...allowed]);
  if (code === 0) {
    expect(
      logs.map(({ event }) => event),
      `what ${who} told`,
    ).to.include('run.finished');
    return;
  }
  const error = logs.find(({ event }) => event === 'run.failed')?.['error'] as
    | { code: keyof typeof ERRORS; summary: string; next: string }
    | undefined;
  expect(error?.summary, `why ${who} failed\n${stderr}`).to.be.a('string').and.not.equal('');
  expect(error?.next, `what to do about ${who}\n${stderr}`).to.be.a('string').and.not.equal('');
  expect(code === 130 ? 143 : code, `exit for ${error!.code}`).to.equal(ERRORS[error!.code].exit);
}

/**
 * No session of a runner and no advisory lock remains in the database; a session that was just killed may need a moment
 * to end.
 */
export async function expectEverybodyGone(workspace: Workspace): Promise<void> {
  let left: unknown[] = [];
  const look = async (): Promise<boolean> => {
    left = await workspace.query(
      `SELECT pid, application_name, state, query, pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory') AS locks FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
    );
    return left.length === 0;
  };
  await eventually('everybody to be gone', look, 10_000).catch((error: unknown) => {
    throw new Error(`${String(error)}; left: ${JSON.stringify(left)}`, { cause: error });
  });
}

/** A SET, which a resumed file must repeat. */
const DONE_AGAIN = '005_online 1';

/**
 * Each version was recorded once, each statement was finished once; the next release's run reports how earlier runs
 * ended.
 */
export async function expectSoundJournal(workspace: Workspace, versions: readonly string[]): Promise<void> {
  expect(await workspace.versions(), 'the history').to.deep.equal(versions);
  expect(await workspace.journalCounts('applied'), 'how often each version was applied').to.deep.equal(
    Object.fromEntries(versions.map((version) => [version, 1])),
  );
  const twice = await workspace.query(
    `SELECT version, statement, count(*)::int FROM schema_migrations_journal WHERE event = 'statement done'
      GROUP BY 1, 2 HAVING count(*) > 1 AND count(DISTINCT checksum) = 1 ORDER BY 1, 2`,
  );
  expect(
    twice.filter(({ version, statement }) => `${String(version)} ${String(statement)}` !== DONE_AGAIN),
    'statements that were done twice',
  ).to.deep.equal([]);
  await workspace.write(NEXT_RELEASE);
  const { url: connectionString, lockKey, dir } = workspace;
  await runMigrations({ connectionString, lockKey, dir, direction: 'up', runnerName: 'next release' });
  const open = await workspace.query(
    `SELECT s.run, s.runner, array_agg(e.event) AS ends FROM schema_migrations_journal s
      LEFT JOIN schema_migrations_journal e ON e.run = s.run AND e.event IN ('run ended', 'run lost')
      WHERE s.event = 'run started' GROUP BY 1, 2 HAVING count(e.*) <> 1`,
  );
  expect(open, 'runs that did not end once').to.deep.equal([]);
}
