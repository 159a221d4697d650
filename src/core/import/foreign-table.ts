/**
 * Recognises other migration tools' tables, and tables of the wrong shape, so that none is mistaken for Lockstep's
 * history.
 */

interface Shape {
  readonly tool: string;
  readonly columns: readonly string[];
  readonly exact?: boolean;
}

/** The columns that identify each tool's table, from the tool's own table definition. */
const SHAPES: readonly Shape[] = [
  { tool: 'golang-migrate', columns: ['version', 'dirty'] },
  { tool: 'goose', columns: ['version_id', 'is_applied'] },
  { tool: 'Flyway', columns: ['installed_rank', 'script'] },
  { tool: 'Prisma', columns: ['migration_name', 'applied_steps_count'] },
  { tool: 'node-pg-migrate', columns: ['id', 'name', 'run_on'] },
  { tool: 'Knex', columns: ['name', 'batch', 'migration_time'] },
  { tool: 'Liquibase', columns: ['orderexecuted', 'md5sum'] },
  { tool: 'Drizzle', columns: ['hash', 'created_at'] },
  { tool: 'Django', columns: ['app', 'name', 'applied'] },
  { tool: 'Ecto', columns: ['version', 'inserted_at'] },
  { tool: 'dbmate or Rails', columns: ['version'], exact: true },
];

/** The tool that made the table; undefined if the columns are Lockstep's or the original Go runner's. */
export function foreignTool(columns: readonly string[]): string | undefined {
  if (columns.includes('version') && columns.includes('applied_at')) return undefined;
  const found = SHAPES.find(
    (shape) =>
      shape.columns.every((column) => columns.includes(column)) &&
      (shape.exact !== true || columns.length === shape.columns.length),
  );
  return found?.tool ?? 'another program';
}

interface Column {
  readonly name: string;
  /** PostgreSQL's `pg_type.typcategory`: S are strings, D dates and times. */
  readonly category: string;
  /** NOT NULL without a default. */
  readonly needed: boolean;
}

/** What was found under the history table's name. */
export interface TableShape {
  /** As PostgreSQL calls it (`pg_identify_object`): `table`, `view`, `index`, … */
  readonly kind: string;
  readonly columns: readonly Column[] | null;
  /** `version` is unique, which also stops a runner that does not hold the lock. */
  readonly unique: boolean;
}

/** What it is (`a view`), if it is not a table. */
export function otherThanTable({ kind }: TableShape): string | undefined {
  if (kind === 'table') return undefined;
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** Why a table with the right column names cannot be the history, one sentence each. */
export function misfits({ columns, unique }: TableShape): string[] {
  const found = (columns ?? []).flatMap(({ name, category, needed }): string[] => {
    if (name === 'version' || name === 'checksum') return category === 'S' ? [] : [`column ${name} is not text`];
    if (needed) return [`column ${name} is NOT NULL and has no default`];
    return name === 'applied_at' && category !== 'D' ? ['column applied_at is not a timestamp'] : [];
  });
  return unique ? found : [...found, 'column version has no primary key'];
}
