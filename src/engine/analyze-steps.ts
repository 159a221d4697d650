/** Reads every script of a run before the first one runs, so that all that is refused is refused at once. */
import { MigratorError } from '../core/errors.ts';
import type { Reporter, StepScript } from '../core/ports.ts';
import type { ScriptRemark, SqlParser } from '../core/sql/script-plan.ts';
import { analyze } from './analyze.ts';
import type { PlannedStep } from './apply.ts';

/** @throws MigratorError MIGRATIONS_INVALID with file and line of every offender. */
export async function analyzeSteps(
  steps: readonly StepScript[],
  { parser, reporter }: { readonly parser: SqlParser; readonly reporter: Reporter },
): Promise<PlannedStep[]> {
  const planned: PlannedStep[] = [];
  const problems: string[] = [];
  for (const step of steps) {
    const { script, version } = step;
    const analysis = await analyze(script, parser);
    problems.push(...analysis.problems.map((remark) => remarkText(script.file, remark)));
    for (const remark of analysis.warnings) {
      reporter.report({ type: 'warning', version, message: remarkText(script.file, remark) });
    }
    planned.push({ step, plan: analysis.plan });
  }
  if (problems.length === 0) return planned;
  throw new MigratorError('MIGRATIONS_INVALID', 'these migrations cannot be run; nothing was run', {
    problems,
    hint: 'correct the files; "lockstep validate" finds the same without a database',
  });
}

function remarkText(file: string, { line, column, message }: ScriptRemark): string {
  return `${file}:${line}:${column}: ${message}`;
}
