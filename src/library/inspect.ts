/** `status`, `pending` and `validate`: what there is to know before anything runs. None of them writes. */
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { Version } from '../core/migration.ts';
import { readStatus } from '../engine/commands/inspect.ts';
import { isMissing, statusDocument, validateDocument } from '../output/documents.ts';
import type { StatusDocument, ValidateDocument } from '../output/documents.ts';
import type { StatusOptions, ValidateOptions } from './options.ts';
import { connectingOf, openPorts, runnerOf, sourceOf } from './ports.ts';
import { checkValidateOptions, readStatusOptions } from './read-options.ts';
import { inOptions } from './words.ts';

/**
 * Every version that files or database know, in order, and whether nothing is left to do: as `status --json` has it.
 */
export type Status = Pick<StatusDocument, 'upToDate' | 'migrations'>;

/** What was found in the files, and whether they are valid: as `validate --json` has it. */
export type Validation = Pick<ValidateDocument, 'valid' | 'migrations' | 'findings'>;

/**
 * How every version stands: applied, pending, in part, held, unknown, changed or out of order. Needs only SELECT.
 * @throws MigratorError with a `code`; something pending is no error.
 */
export async function status(options: StatusOptions): Promise<Status> {
  return await look('status', options);
}

/**
 * The versions that are not applied although there is a file, or only in part, in order; empty when the database is up
 * to date.
 * @throws MigratorError with a `code`.
 */
export async function pending(options: StatusOptions): Promise<Version[]> {
  const { migrations } = await look('pending', options);
  return migrations.filter(({ state }) => isMissing(state)).map(({ version }) => version);
}

async function look(name: string, options: StatusOptions): Promise<Status> {
  return await inOptions(async () => {
    const ports = openPorts(options, readStatusOptions(name, options));
    const rows = await readStatus({ runner: runnerOf(options, 'status'), ...connectingOf(options) }, ports);
    const { upToDate, migrations } = statusDocument(rows);
    return { upToDate, migrations };
  });
}

/**
 * Everything about the files that can be said without a database: names, pairs, SQL syntax, hazards.
 * @throws MigratorError MIGRATIONS_INVALID when they cannot even be read as migrations; findings are no error.
 */
export async function validate(options: ValidateOptions): Promise<Validation> {
  return await inOptions(async () => {
    checkValidateOptions(options);
    const { validate: validateFiles } = await import('../engine/commands/validate.ts');
    const report = await validateFiles(sourceOf(options), createSqlParser(), { strict: options.strict ?? false });
    const { valid, migrations, findings } = validateDocument(report);
    return { valid, migrations, findings };
  });
}
