/** `validate`: checks everything about the files that needs no database. */
import { MigratorError, type ErrorCode } from '../../core/errors.ts';
import type { SourceLocation } from '../../core/text/source-location.ts';
import { equalNumbers, mixedNumbers } from '../../core/file-names.ts';
import type { Direction, Migration, Script } from '../../core/migration.ts';
import { ZERO_BYTES } from '../../core/plan/plan.ts';
import type { MigrationSource } from '../../core/ports.ts';
import type { Finding, ValidateReport } from '../../core/reports.ts';
import type { ScriptRemark, SqlParser } from '../../core/sql/script-plan.ts';
import { locateAt } from '../../core/text/source-location.ts';
import { analyze } from '../apply/analyze.ts';

/** @throws MigratorError MIGRATIONS_INVALID when the files cannot even be read as migrations. */
export async function validate(
  source: MigrationSource,
  parser: SqlParser,
  { strict }: { readonly strict: boolean },
): Promise<ValidateReport> {
  const { migrations, remarks } = await source.read();
  const findings: Finding[] = [];
  let location: SourceLocation | undefined;
  for (const [script, direction] of migrations.flatMap(scriptsOf)) {
    const found = await findingsOf(script, direction, parser);
    findings.push(...found);
    location ??= placeOfFirstError(found, script);
  }
  const invalid = findings.some(({ severity }) => severity === 'error');
  const duplicates = equalNumbers(migrations);
  findings.push(
    ...remarks.map(
      ({ message, strict: refused }): Finding => ({ severity: strict && refused ? 'error' : 'warning', message }),
    ),
    ...(duplicates === '' ? [] : [{ severity: strict ? 'error' : 'warning', message: duplicates } as const]),
    ...[mixedNumbers(migrations)]
      .filter((message) => message !== '')
      .map((message): Finding => ({ severity: 'warning', message })),
  );
  const code = failure(invalid, strict && duplicates !== '', strict && findings.length > 0);
  return {
    migrations: migrations.length,
    findings,
    ...(code && {
      error: new MigratorError(code, 'the migration files are not valid', {
        location,
        hint: 'correct what is listed; without --strict, warnings do not fail',
      }),
    }),
  };
}

function failure(invalid: boolean, duplicates: boolean, warnings: boolean): ErrorCode | undefined {
  if (invalid) return 'MIGRATIONS_INVALID';
  if (duplicates) return 'HISTORY_CONFLICT';
  return warnings ? 'MIGRATIONS_INVALID' : undefined;
}

function placeOfFirstError(findings: readonly Finding[], { file, text }: Script): SourceLocation | undefined {
  const { line, column } = findings.find(({ severity }) => severity === 'error') ?? {};
  return line === undefined || column === undefined ? undefined : locateAt(file, text, { line, column });
}

function scriptsOf({ up, down }: Migration): (readonly [Script, Direction])[] {
  return [[up, 'up'], ...(down ? [[down, 'down'] as const] : [])];
}

async function findingsOf(script: Script, direction: Direction, parser: SqlParser): Promise<Finding[]> {
  if (direction === 'up' && script.text === '') return [{ severity: 'error', file: script.file, message: ZERO_BYTES }];
  const { problems, syntaxError, warnings, hazards } = await analyze(script, direction, parser);
  const found = (severity: Finding['severity'], remarks: readonly ScriptRemark[]): Finding[] =>
    remarks.map((remark) => ({ severity, file: script.file, ...remark }));
  return [
    ...found('error', [...problems, ...(syntaxError ? [syntaxError] : [])]),
    ...found('warning', [...(syntaxError ? [] : warnings), ...hazards]),
  ];
}
