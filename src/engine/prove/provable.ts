/** What cannot be proved on a scratch database, and what to set up first? */
import { MigratorError, type ServerError } from '../../core/errors.ts';
import type { Migration, Version } from '../../core/migration.ts';
import { clusterWide, rolesIn } from '../../core/sql/cluster-wide.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';

/** A line for each file with a statement about the whole server. */
export async function filesAboutCluster(
  migrations: readonly Migration[],
  parser: SqlParser,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { file, text } of migrations.flatMap(({ up, down }) => (down ? [up, down] : [up]))) {
    const parsed = await parser.parse(text);
    for (const { start, end } of parsed.ok ? clusterWide(parsed.statements) : [])
      found.push(`${file}: ${text.slice(start, end).split('\n', 1).join('')}`);
  }
  return found;
}

/** @throws MigratorError CONFIG_INVALID naming every such file. */
export function refuseClusterWide(problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new MigratorError(
    'CONFIG_INVALID',
    'not provable here: statements about the whole server, which others use too',
    {
      problems,
      hint: 'put roles into --setup FILE.sql and take them out of the migrations, or give --scratch-owned if nobody else uses that server',
    },
  );
}

/** What the server lacks or forbids: a feature, a right, the files of an extension (PostgreSQL manual, "Error Codes"). */
const LACKING = new Set(['0A000', '42501', '58P01']);
const UNDEFINED_OBJECT = '42704';

export function isLacking(server: ServerError | undefined): boolean {
  return server !== undefined && LACKING.has(server.sqlstate);
}

/** The error of a run on a scratch database as the error of `prove`, or that this server cannot run the migration. */
export async function provingError(
  error: MigratorError,
  { migrations, parser, roles }: { migrations: readonly Migration[]; parser: SqlParser; roles: readonly string[] },
): Promise<MigratorError> {
  const { code, details, summary } = error;
  const { server, version, location } = details;
  if (code !== 'CONFIG_INVALID' && server) {
    const absent =
      server.sqlstate === UNDEFINED_OBJECT
        ? (await rolesOf(version, migrations, parser)).filter((role) => !roles.includes(role))
        : [];
    if (isLacking(server) || absent.length > 0)
      return new MigratorError('CONFIG_INVALID', `not provable here: ${summary}`, {
        problems: absent.map((role) => `there is no role ${role}`),
        server,
        version,
        location,
        hint: SET_UP,
        cause: error,
      });
  }
  // Nobody has to know how a scratch database has ended, nor what was done there.
  return new MigratorError(code === 'OUTCOME_UNKNOWN' ? 'DATABASE_UNAVAILABLE' : code, summary, {
    ...details,
    outcome: undefined,
    hint: code === 'MIGRATION_FAILED' ? 'correct the file; the scratch database is gone' : error.hint,
    cause: error,
  });
}

const SET_UP =
  'set up what the server lacks: roles and extensions in --setup FILE.sql, or a server that has them in --scratch-url';

async function rolesOf(
  version: Version | undefined,
  migrations: readonly Migration[],
  parser: SqlParser,
): Promise<readonly string[]> {
  const migration = migrations.find((one) => one.version === version);
  const parsed = migration && (await parser.parse(migration.up.text));
  return parsed?.ok === true ? rolesIn(parsed.statements) : [];
}
