/** Parses every script of a run before the first one runs, so that all problems are reported together. */
import { MigratorError } from '../../core/errors.ts';
import type { SourceLocation } from '../../core/text/source-location.ts';
import type { Reporter, StepScript } from '../../core/ports.ts';
import type { ScriptRemark, SqlParser } from '../../core/sql/script-plan.ts';
import { locateAt } from '../../core/text/source-location.ts';
import { analyze } from '../apply/analyze.ts';
import type { PlannedStep } from '../apply/planned-step.ts';

/** @throws MigratorError MIGRATIONS_INVALID with file and line of every offender. */
export async function analyzeSteps(
  steps: readonly StepScript[],
  { parser, reporter }: { readonly parser: SqlParser; readonly reporter: Reporter },
): Promise<PlannedStep[]> {
  const planned: PlannedStep[] = [];
  const problems: string[] = [];
  let location: SourceLocation | undefined;
  for (const step of steps) {
    const { script, version, direction } = step;
    const analysis = await analyze(script, direction, parser);
    problems.push(...analysis.problems.map((remark) => remarkText(script.file, remark)));
    const [first] = analysis.problems;
    if (first) location ??= locateAt(script.file, script.text, first);
    for (const remark of analysis.warnings) {
      reporter.report({ type: 'warning', version, message: remarkText(script.file, remark) });
    }
    planned.push({ step, plan: analysis.plan, losses: analysis.losses });
  }
  if (problems.length === 0) return planned;
  throw new MigratorError('MIGRATIONS_INVALID', 'these migrations cannot be run; nothing was run', {
    problems,
    // The place of the first problem.
    location,
    hint: 'correct the files; "lockstep validate" finds the same without a database',
  });
}

/** Warns of down files that an `up` stores and that could not run: otherwise this would show only at the rollback. */
export async function warnOfDowns(
  steps: readonly StepScript[],
  { parser, reporter }: { readonly parser: SqlParser; readonly reporter: Reporter },
): Promise<void> {
  for (const step of steps) {
    const down = step.direction === 'up' ? step.migration.down : undefined;
    if (!down) continue;
    const { problems, syntaxError } = await analyze(down, 'down', parser);
    for (const remark of [...problems, ...(syntaxError ? [syntaxError] : [])]) {
      reporter.report({
        type: 'warning',
        version: step.version,
        message: `${remarkText(down.file, remark)}; rolling back will fail with this down file`,
      });
    }
  }
}

function remarkText(file: string, { line, column, message }: ScriptRemark): string {
  return `${file}:${line}:${column}: ${message}`;
}
