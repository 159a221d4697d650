/** The journal's table: how it is created, completed and selected from. */

export function createJournal(journal: string): string {
  return `CREATE TABLE IF NOT EXISTS ${journal} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  run uuid NOT NULL,
  event text NOT NULL,
  command text,
  version text,
  direction text,
  statement integer,
  duration_ms bigint,
  code text,
  error text,
  runner text,
  release text,
  image text,
  lockstep text,
  checksum text,
  down_sql text,
  down_checksum text,
  irreversible boolean,
  hold jsonb,
  statement_sql text,
  file text,
  line integer,
  sqlstate text
);
${indexes(journal)}`;
}

/** For the queries: how a run ended, the state of a version, whether a release is known, which statements are done. */
function indexes(journal: string): string {
  return ['run', 'version, id', 'release', 'statement']
    .map((columns) => `CREATE INDEX ON ${journal} (${columns})`)
    .join(';\n');
}

/** Columns that a journal of an early version lacks, with their types. */
const LATER = {
  irreversible: 'boolean',
  hold: 'jsonb',
  statement_sql: 'text',
  file: 'text',
  line: 'integer',
  sqlstate: 'text',
};

/** For a journal that an early version created. */
export function completeJournal(journal: string, { lacksIndexes }: { readonly lacksIndexes: boolean }): string[] {
  const columns = Object.entries(LATER).map(([name, type]) => `ADD COLUMN IF NOT EXISTS ${name} ${type}`);
  return [`ALTER TABLE ${journal} ${columns.join(', ')}`, ...(lacksIndexes ? [indexes(journal)] : [])];
}

const COLUMNS = [
  'id, at, run, event, command, version, direction, statement, duration_ms, code, error, runner, release, image, checksum, down_sql, down_checksum',
  ...Object.keys(LATER),
].join(', ');

/** A FROM item with only the columns that we use; columns that a journal of an early version lacks are null. */
export function journalRows(journal: string): string {
  const none = Object.entries(LATER).map(([name, type]) => `NULL::${type} AS ${name}`);
  return `(SELECT r.* FROM (SELECT ${none.join(', ')}) none CROSS JOIN LATERAL (SELECT ${COLUMNS} FROM ${journal}) r)`;
}
