/** `import --files`: converts another tool's files to ours, after checking that every statement is still there. */
import { convertFiles } from '../../core/convert/convert.ts';
import type { ConvertedFile, NewFile } from '../../core/convert/converted.ts';
import { fingerprints } from '../../core/convert/same-statements.ts';
import type { ConvertTool } from '../../core/import/foreign-history.ts';
import { MigratorError } from '../../core/errors.ts';
import type { ConversionFiles, Reporter } from '../../core/ports.ts';
import type { ConvertReport } from '../../core/reports.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';

export interface ConvertOptions {
  readonly tool: ConvertTool;
  readonly dryRun: boolean;
}

export interface ConvertPorts {
  readonly files: ConversionFiles;
  readonly parser: SqlParser;
  readonly reporter: Reporter;
}

/** @throws MigratorError MIGRATIONS_INVALID listing everything that has no counterpart; then nothing is written. */
export async function convert(
  { tool, dryRun }: ConvertOptions,
  { files, parser, reporter }: ConvertPorts,
): Promise<ConvertReport> {
  const { converted, problems, warnings } = convertFiles(tool, files.read());
  if (problems.length > 0)
    throw refused(
      `some files of ${tool} cannot be converted; nothing was written`,
      problems,
      'write what is listed as plain SQL, or leave it out of the directory, then run again',
    );
  if (converted.length === 0)
    throw refused(
      `there are no files of ${tool} in that directory`,
      [],
      'check --files, and the tool that --from names',
    );
  const checked: string[] = [];
  for (const one of converted) checked.push(...(await doubtsAbout(one, parser)));
  const made = converted.flatMap((one) => one.files);
  const existing = files.existing(made.map(({ name }) => name));
  if (existing.length > 0)
    throw refused(
      'some of the files already exist; nothing was written',
      existing,
      'nothing is overwritten: give an empty directory with --dir',
    );
  for (const message of [...warnings, ...checked]) reporter.report({ type: 'warning', message });
  if (!dryRun) files.write(made);
  return { dryRun, files: made.map(({ name }) => name).toSorted(), warnings: [...warnings, ...checked] };
}

/** @throws MigratorError INTERNAL when the statements differ: a converter must never lose one. */
async function doubtsAbout({ path, sql, files }: ConvertedFile, parser: SqlParser): Promise<readonly string[]> {
  const before = fingerprints(await parser.parse(sql));
  const after: (string[] | undefined)[] = [];
  for (const { text } of files) after.push(fingerprints(await parser.parse(text)));
  if (!before || after.includes(undefined))
    return [
      `${path}: PostgreSQL's parser can't read it, so ${namesOf(files)} could not be compared with it: check them yourself`,
    ];
  if (before.join() === after.flat().join()) return [];
  throw new MigratorError(
    'INTERNAL',
    `${namesOf(files)} would not have the same statements as ${path}; nothing was written`,
    { hint: 'this is a bug in Lockstep: please report it, with the file' },
  );
}

const namesOf = (files: readonly NewFile[]): string => files.map(({ name }) => name).join(' and ');

function refused(summary: string, problems: readonly string[], hint: string): MigratorError {
  return new MigratorError('MIGRATIONS_INVALID', summary, { ...(problems.length > 0 && { problems }), hint });
}
