/** Which history table, in which schema, under which lock key: settled by the server's own name resolution. */
import { createHash } from 'node:crypto';

import { MigratorError } from '../../../core/errors.ts';
import { foreignTool, misfits, otherThanTable, type TableShape } from '../../../core/import/foreign-table.ts';
import { IMPORT_TOOLS } from '../../../core/import/foreign-history.ts';
import type { TableName } from '../../../core/table-name.ts';
import type { Care } from './attached-objects.ts';
import { PLACE_NAME } from './place.ts';
import { escapeLiteral, qualified } from '../wire/sql.ts';

/** The key of the original Go runner, for every table named schema_migrations: both can run during a change-over. */
export const ORIGINAL_KEY = '7244554146635925501';
export const ORIGINAL_TABLE = 'schema_migrations';

/** The tables' format. A run may use any format whose `readable since` is not newer than its own. */
export const FORMAT = 1;

/** Columns that a journal made by an early version may lack. */
const LATER_COLUMNS = ['hold', 'irreversible', 'statement_sql', 'file', 'line', 'sqlstate'];

/** What the server says of the table before anything is touched. */
export interface RelationFacts {
  readonly schema: string | null;
  readonly key: string;
  /** What the table's comment says, if not `key`: for a tenant, the key of runs that work in its schema alone. */
  readonly recordedKey?: string | undefined;
  /** Null when nothing has the table's name. */
  readonly shape: TableShape | null;
  readonly comment: string | null;
  readonly oid: string | null;
  /** The columns of what has the journal's name. */
  readonly journal: readonly string[] | null;
  readonly journalOid: string | null;
  /** How closely it had to be looked at. */
  readonly care?: Care;
  /**
   * Where an unqualified name would be made, quoted, if not where the table was found; and who chose the path
   * (`pg_settings.source`).
   */
  readonly madeIn?: { readonly schema: string; readonly source: string };
}

/** The table once its schema is known. */
export interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly key: string;
  /** In the table's comment. */
  readonly recordedKey: string;
  /** Quoted and qualified. */
  readonly table: string;
  readonly journal: string;
  /** Of the table and the journal, as far as they exist. */
  readonly oid: string | undefined;
  readonly journalOid: string | undefined;
  readonly exists: boolean;
  readonly hasJournal: boolean;
  /** Both tables are there, with our columns and our comment. */
  readonly complete: boolean;
  /** The journal is of a version that made no indexes yet. */
  readonly lacksIndexes: boolean;
  /** Another program's table has the name of ours; for an import, which renames it. */
  readonly inTheWay?: MigratorError | undefined;
}

/** SQL for the key as bigint, under our own path. */
export function keyExpression(table: TableName, lockKey: bigint | undefined): string {
  if (lockKey !== undefined) return `'${lockKey}'::bigint`;
  if (table.name === ORIGINAL_TABLE) return `'${ORIGINAL_KEY}'::bigint`;
  if (table.schema !== undefined) return `'${derivedKey(table.schema, table.name)}'::bigint`;
  const name = `convert_to(${PLACE_NAME} || ${escapeLiteral(`.${table.name}`)}, 'UTF8')`;
  return `('x' || encode(substr(sha256(${name}), 1, 8), 'hex'))::bit(64)::bigint`;
}

/** The first 8 bytes of SHA-256 over `schema.name`, as a signed number. */
export function derivedKey(schema: string, name: string): string {
  return createHash('sha256').update(`${schema}.${name}`).digest().readBigInt64BE(0).toString();
}

export function journalName(table: string): string {
  return `${table}_journal`;
}

export const COMMENT = /Lockstep history, format (?<format>\d+), readable since (?<since>\d+), lock key (?<key>-?\d+)/;

export function tableComment(key: string): string {
  return `Lockstep history, format ${FORMAT}, readable since ${FORMAT}, lock key ${key}`;
}

interface ResolveOptions {
  /** A table of another program is no error yet. */
  readonly takesOver: boolean;
}

/**
 * Accepts our table, the original Go runner's, or none yet.
 * @throws MigratorError CONFIG_INVALID for another key or an incompatible format; HISTORY_CONFLICT for another tool's
 * table.
 */
export function resolveRelation(
  table: TableName,
  facts: RelationFacts,
  { takesOver }: ResolveOptions = { takesOver: false },
): Relation {
  if (facts.schema === null) throw noSchema(table);
  const name = `${facts.schema}.${table.name}`;
  requirePlace(table, facts.schema, facts.madeIn);
  const foreign = facts.shape ? requireShape(name, facts.shape) : undefined;
  if (foreign && !takesOver) throw foreign;
  if (facts.journal && !JOURNAL_COLUMNS.every((column) => facts.journal?.includes(column)))
    throw foreignJournal(journalName(name));
  const hasComment = requireComment(name, facts);
  return {
    schema: facts.schema,
    name: table.name,
    key: facts.key,
    recordedKey: recordedKeyOf(facts),
    table: qualified(facts.schema, table.name),
    journal: qualified(facts.schema, journalName(table.name)),
    oid: facts.oid ?? undefined,
    journalOid: facts.journalOid ?? undefined,
    exists: facts.shape !== null && !foreign,
    hasJournal: facts.journal !== null,
    complete: hasComment && hasOurColumns(facts),
    lacksIndexes: facts.journal !== null && !facts.journal.includes('statement_sql'),
    inTheWay: foreign,
  };
}

function hasOurColumns({ shape, journal }: RelationFacts): boolean {
  const hasChecksum = shape?.columns?.some((column) => column.name === 'checksum') === true;
  return hasChecksum && LATER_COLUMNS.every((column) => journal?.includes(column));
}

/**
 * On a path that somebody chose, objects would be made in one schema and recorded in another: nobody has said which is
 * meant.
 * @throws MigratorError CONFIG_INVALID.
 */
function requirePlace(table: TableName, found: string, madeIn: RelationFacts['madeIn']): void {
  if (!madeIn || madeIn.schema === '' || madeIn.source === 'default') return;
  const made = madeIn.schema.replace(/^"(.*)"$/s, '$1').replaceAll('""', '"');
  throw new MigratorError(
    'CONFIG_INVALID',
    `the history ${found}.${table.name} is not in the schema where this run would create objects, ${made}`,
    {
      problems: [
        `search_path (set by: ${madeIn.source}) begins with ${made}, which has no table ${table.name}; the next schema of the path that has one is ${found}`,
      ],
      hint: `say which history is meant: --table ${found}.${table.name} for the one that is there, --table ${made}.${table.name} for one of its own`,
    },
  );
}

function recordedKeyOf({ key, recordedKey = key }: Pick<RelationFacts, 'key' | 'recordedKey'>): string {
  return recordedKey;
}

/** Whether the table has our comment. @throws MigratorError CONFIG_INVALID when that says what this run can't go by. */
function requireComment(name: string, { comment, ...facts }: RelationFacts): boolean {
  const key = recordedKeyOf(facts);
  const found = COMMENT.exec(comment ?? '')?.groups;
  if (!found) return false;
  if (Number(found['since']) > FORMAT) {
    throw new MigratorError(
      'CONFIG_INVALID',
      `table ${name} has format ${found['format']}, readable since ${found['since']}; this Lockstep knows format ${FORMAT}`,
      { hint: 'use a newer Lockstep image' },
    );
  }
  if (found['key'] === key) return true;
  throw new MigratorError(
    'CONFIG_INVALID',
    `table ${name} is locked by key ${found['key']}, but this run would use key ${key}`,
    {
      hint: `every runner must use one key: drop --lock-key, or set it to ${found['key']}`,
    },
  );
}

/**
 * What speaks against another tool's table. @throws MigratorError HISTORY_CONFLICT for what is no table of a tool's.
 */
function requireShape(name: string, shape: TableShape): MigratorError | undefined {
  const other = otherThanTable(shape);
  if (other !== undefined) {
    throw new MigratorError('HISTORY_CONFLICT', `${name} is ${other}, not a table`, { hint: OTHER_NAME });
  }
  const columns = (shape.columns ?? []).map((column) => column.name);
  const tool = foreignTool(columns);
  if (tool !== undefined) return foreignTable(name, tool, columns);
  const problems = misfits(shape);
  if (problems.length === 0) return undefined;
  throw new MigratorError('HISTORY_CONFLICT', `table ${name} has our columns, but cannot be used as the history`, {
    problems,
    hint: `alter it so that it is (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()), or ${OTHER_NAME}`,
  });
}

const OTHER_NAME = 'choose another name with --table, for example --table lockstep_migrations';

/** Of every format. */
const JOURNAL_COLUMNS = ['id', 'at', 'run', 'event', 'version'];

function foreignJournal(name: string): MigratorError {
  return new MigratorError('HISTORY_CONFLICT', `${name}, where the journal should be, belongs to another program`, {
    hint: `rename it, or ${OTHER_NAME}`,
  });
}

function noSchema(table: TableName): MigratorError {
  return table.schema === undefined
    ? new MigratorError(
        'CONFIG_INVALID',
        'no schema of the search_path exists, so there is no place for the history table',
        {
          hint: 'create the schema, or name an existing one: --table schema.name',
        },
      )
    : new MigratorError('CONFIG_INVALID', `--table: schema "${table.schema}" does not exist in this database`, {
        hint: `create it first (CREATE SCHEMA), or correct --table`,
      });
}

function foreignTable(name: string, tool: string, columns: readonly string[]): MigratorError {
  return new MigratorError('HISTORY_CONFLICT', `table ${name} belongs to ${tool}, not to Lockstep`, {
    problems: [`its columns are ${columns.join(', ')}; Lockstep's are version, applied_at, …`],
    hint:
      importHint(tool, name) ??
      `${OTHER_NAME}, and record what ${tool} has applied with "lockstep baseline --to VERSION"`,
  });
}

function importHint(label: string, table: string): string | undefined {
  const tool = IMPORT_TOOLS.find((one) => label.toLowerCase().split(' ', 1)[0] === one);
  const rails = label.endsWith('Rails')
    ? `if Rails made it (ar_internal_metadata is in the same schema), leave it to Rails: ${OTHER_NAME}, and record with "lockstep baseline --to VERSION" what is applied; if dbmate made it, `
    : '';
  return (
    tool &&
    `${rails}take its history over with "lockstep import --from ${tool} --from-table ${table}", which renames that table; or ${OTHER_NAME}`
  );
}
