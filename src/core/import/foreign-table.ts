/** Recognises tables of other migration tools, and tables that cannot serve as ours, so that they are never mistaken for ours. */

interface Shape {
  readonly tool: string;
  readonly columns: readonly string[];
  readonly exact?: boolean;
}

/** Each tool's own table definition; the most telling columns first. */
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

/** Undefined when the columns are ours or the original Go runner's, else who made the table. */
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
  /** A row can't do without a value for it. */
  readonly needed: boolean;
}

/** What has the history table's name. */
export interface TableShape {
  /** As PostgreSQL calls it (`pg_identify_object`): `table`, `view`, `index`, … */
  readonly kind: string;
  readonly columns: readonly Column[] | null;
  /** No version can be there twice: a runner without the lock stops at that. */
  readonly unique: boolean;
}

/** What it is instead of a table; undefined when it is one. */
export function otherThanTable({ kind }: TableShape): string | undefined {
  if (kind === 'table') return undefined;
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** Why a table with our columns can't be used as ours, one sentence each. */
export function misfits({ columns, unique }: TableShape): string[] {
  const found = (columns ?? []).flatMap(({ name, category, needed }): string[] => {
    if (name === 'version' || name === 'checksum') return category === 'S' ? [] : [`column ${name} is not text`];
    if (needed) return [`column ${name} is NOT NULL and has no default`];
    return name === 'applied_at' && category !== 'D' ? ['column applied_at is no timestamp'] : [];
  });
  return unique ? found : [...found, 'column version has no primary key'];
}
