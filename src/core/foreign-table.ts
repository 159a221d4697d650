/** Recognises tables of other migration tools by their columns, so that they are never mistaken for ours. */

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
