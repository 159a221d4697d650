/** `validate`: checks everything about the files that needs no database. */
import { MigratorError, type ErrorCode } from '../../core/errors.ts';
import { equalNumbers, mixedNumbers } from '../../core/file-names.ts';
import { compareVersions, type Direction, type Migration, type Script, type Version } from '../../core/migration.ts';
import { namedVersion } from '../../core/plan/named-version.ts';
import { ZERO_BYTES } from '../../core/plan/plan.ts';
import type { ReviewSource } from '../../core/rules/review-source.ts';
import type { ValidateReport } from '../../core/reports.ts';
import type { Finding } from '../../core/rules/finding.ts';
import type { CheckId } from '../../core/rules/checks.ts';
import { Directory } from '../../core/rules/directory.ts';
import type { RuleLevels } from '../../core/rules/levels.ts';
import { FindingList } from '../../core/rules/finding-list.ts';
import { findingsOfRules, type Found } from '../../core/rules/findings.ts';
import type { ScriptRemark, SqlParser } from '../../core/sql/script-plan.ts';
import { locateAt, type SourceLocation } from '../../core/text/source-location.ts';
import { skipBlank } from '../../core/text/sql-text.ts';
import { analyze } from '../apply/analyze.ts';

export interface ReviewOptions {
  readonly strict: boolean;
  readonly levels?: RuleLevels;
  /** Only files that are new by this: all others have run already. */
  readonly isNew?: ((file: string) => boolean) | undefined;
  /** Only versions after this one. */
  readonly newerThan?: Version | undefined;
}

/** @throws MigratorError MIGRATIONS_INVALID when the directory cannot be read. */
export async function validate(
  source: ReviewSource,
  parser: SqlParser,
  options: ReviewOptions,
): Promise<ValidateReport> {
  const { strict } = options;
  const { migrations, remarks, problems } = await source.readWithProblems();
  const findings = new FindingList();
  for (const { file, message } of problems) findings.check('file-names', 'error', { file, message });
  const reviewer = new Reviewer(parser, findings, options);
  for (const migration of migrations) await reviewer.review(migration, isPending(migration, migrations, options));
  const duplicates = equalNumbers(migrations);
  const mixed = mixedNumbers(migrations);
  const invalid = findings.has('error');
  for (const { message, strict: refused } of remarks)
    findings.check('other-files', strict && refused ? 'error' : 'warning', { message });
  if (duplicates !== '') findings.check('numbers', strict ? 'error' : 'warning', { message: duplicates });
  if (mixed !== '') findings.check('numbers', 'warning', { message: mixed });
  const failing = strict && (findings.has('warning') || findings.has('error'));
  const code = failure(invalid, strict && duplicates !== '', failing);
  return {
    migrations: migrations.length,
    findings: findings.all,
    ...(code && {
      error: new MigratorError(code, 'the migration files are not valid', {
        ...(problems.length > 0 && { problems: problems.map(({ file, message }) => `${file}: ${message}`).toSorted() }),
        location: reviewer.firstError,
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

/** Undefined where nobody has said which files are new. */
function isPending(
  { version, up }: Migration,
  all: readonly Migration[],
  { isNew, newerThan }: ReviewOptions,
): boolean | undefined {
  if (!isNew && newerThan === undefined) return undefined;
  const after =
    newerThan === undefined ||
    compareVersions(
      version,
      namedVersion(
        newerThan,
        all.map((one) => one.version),
      ),
    ) > 0;
  return after && (isNew?.(up.file) ?? true);
}

/** Reads the files one after another, because a rule depends on what earlier ones have made. */
class Reviewer {
  readonly #parser: SqlParser;
  readonly #findings: FindingList;
  readonly #levels: RuleLevels;
  readonly #directory = new Directory();
  firstError: SourceLocation | undefined;

  constructor(parser: SqlParser, findings: FindingList, { levels = new Map() }: ReviewOptions) {
    this.#parser = parser;
    this.#findings = findings;
    this.#levels = levels;
  }

  /** `pending`: false for a file that has run already, of which only its effects count. */
  async review({ up, down }: Migration, pending: boolean | undefined): Promise<void> {
    this.#directory.begin({ direction: 'up', pending: pending === true });
    await this.#script(up, 'up', { reported: pending !== false, reversible: isReversible(up, down) });
    if (!down || pending === false) return;
    const resume = this.#directory.keep();
    this.#directory.begin({ direction: 'down', pending: false });
    await this.#script(down, 'down', { reported: true, reversible: true });
    resume();
  }

  async #script(
    script: Script,
    direction: Direction,
    { reported, reversible }: { readonly reported: boolean; readonly reversible: boolean },
  ): Promise<void> {
    const { file, text } = script;
    if (direction === 'up' && text === '') {
      if (reported) this.#findings.check('refused', 'error', { file, message: ZERO_BYTES });
      return;
    }
    const { problems, syntaxError, warnings, parsed } = await analyze(script, direction, this.#parser);
    const broken = parsed ? findingsOfRules({ ...parsed, direction, reversible }, this.#levels, this.#directory) : [];
    if (!reported) return;
    const check = (id: CheckId, severity: Finding['severity'], remarks: readonly ScriptRemark[]): void => {
      for (const remark of remarks) this.#findings.check(id, severity, { file, ...remark });
    };
    check('refused', 'error', problems);
    check('syntax', 'error', syntaxError ? [syntaxError] : []);
    check('runs-differently', 'warning', syntaxError ? [] : warnings);
    for (const one of broken) this.#findings.add({ file, ...one });
    const error = [...problems, ...(syntaxError ? [syntaxError] : []), ...broken.filter(isError)][0];
    if (error) this.firstError ??= locateAt(file, text, error);
  }
}

function isReversible({ directives }: Script, down: Script | undefined): boolean {
  return directives.irreversible || (down !== undefined && skipBlank(down.text, 0) < down.text.length);
}

function isError({ severity }: Found): boolean {
  return severity === 'error';
}
