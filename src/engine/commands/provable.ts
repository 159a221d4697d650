/** What cannot be proved on a scratch database, and what to set up first? */
import { MigratorError } from '../../core/errors.ts';
import type { Migration } from '../../core/migration.ts';
import { clusterWide } from '../../core/sql/cluster-wide.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';

/** @throws MigratorError CONFIG_INVALID naming every file with a statement about the whole server. */
export async function refuseClusterWide(migrations: readonly Migration[], parser: SqlParser): Promise<void> {
  const problems: string[] = [];
  for (const { file, text } of migrations.flatMap(({ up, down }) => (down ? [up, down] : [up]))) {
    const parsed = await parser.parse(text);
    const found = parsed.ok ? clusterWide(parsed.statements) : undefined;
    if (found) problems.push(`${file}: ${text.slice(found.start, found.end).split('\n', 1).join('')}`);
  }
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

/** The same error, or that this server cannot run the migration. */
export function unprovable(error: MigratorError): MigratorError {
  const { server, version, location } = error.details;
  if (!server || !LACKING.has(server.sqlstate)) return error;
  return new MigratorError('CONFIG_INVALID', `not provable here: ${error.summary}`, {
    server,
    version,
    location,
    hint: 'set up what the server lacks: roles and extensions in --setup FILE.sql, or a server that has them in --scratch-url',
    cause: error,
  });
}
