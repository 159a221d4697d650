/** Migrations, a source of them, hooks, and a parser that recognizes three keywords. */
import { checksum, parseDirectives, type Migration, type Version } from '../../../src/core/migration.ts';
import type { HookRunner, MigrationSource } from '../../../src/core/ports.ts';
import type { DownStep, StepScript } from '../../../src/core/plan/step.ts';
import type { ParsedStatement, ParseResult, SqlParser } from '../../../src/core/sql/script-plan.ts';

/** `down: null` stands for a migration without a down script. */
export function migration(version: Version, up?: string, down?: string | null): Migration {
  const upText = up ?? `CREATE TABLE t_${version}`;
  const downText = down === undefined ? `DROP TABLE t_${version}` : down;
  return {
    version,
    up: script(`${version}.up.sql`, upText),
    ...(downText !== null && { down: script(`${version}.down.sql`, downText) }),
  };
}

export function migrations(...versions: readonly Version[]): Migration[] {
  return versions.map((version) => migration(version));
}

export function stepOf(
  one: Migration,
  direction: 'up' | 'down' = 'up',
  hold: Pick<DownStep, 'hold' | 'reason'> = { hold: false },
): StepScript {
  const { version, up, down } = one;
  if (direction === 'up') return { version, direction, migration: one, script: up };
  return { version, direction, script: down ?? up, source: 'file', ...hold };
}

function script(file: string, text: string): Migration['up'] {
  return { file, text, checksum: checksum(text), directives: parseDirectives(text).directives };
}

export function source(files: readonly Migration[]): MigrationSource {
  return { read: () => Promise.resolve({ migrations: files, remarks: [] }) };
}

/** Hooks as functions, by version. */
export class FakeHooks implements HookRunner {
  readonly #hooks: Readonly<Record<Version, (signal: AbortSignal) => unknown>>;

  constructor(hooks: Readonly<Record<Version, (signal: AbortSignal) => unknown>> = {}) {
    this.#hooks = hooks;
  }

  has({ version }: Migration): boolean {
    return version in this.#hooks;
  }

  async run({ version }: Migration, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#hooks[version]?.(signal);
  }
}

/** One statement per semicolon. Statements that `read` does not list count as CREATE TABLE. */
export const fakeParser: SqlParser = { parse: (text) => Promise.resolve(parse(text)) };

function parse(text: string): ParseResult {
  const statements: ParsedStatement[] = [];
  let from = 0;
  for (const piece of text.split(';')) {
    const sql = piece.trim();
    const start = from + piece.indexOf(sql);
    if (sql !== '' && !sql.startsWith('--')) statements.push({ ...read(sql), start, end: start + sql.length });
    from += piece.length + 1;
  }
  return { ok: true, statements };
}

function read(sql: string): Pick<ParsedStatement, 'kind' | 'node'> {
  const index = /^CREATE INDEX CONCURRENTLY (\w+) ON (\w+)/.exec(sql);
  if (index)
    return { kind: 'IndexStmt', node: { concurrent: true, idxname: index[1], relation: { relname: index[2] } } };
  if (sql.startsWith('SET ')) return { kind: 'VariableSetStmt', node: {} };
  if (sql === 'VACUUM') return { kind: 'VacuumStmt', node: { is_vacuumcmd: true } };
  if (sql.startsWith('CREATE DATABASE')) return { kind: 'CreatedbStmt', node: {} };
  if (sql === 'DISCARD ALL') return { kind: 'DiscardStmt', node: { target: 'DISCARD_ALL' } };
  if (sql.startsWith('INSERT')) return { kind: 'InsertStmt', node: {} };
  return { kind: 'CreateStmt', node: { relation: { relname: 't' } } };
}
