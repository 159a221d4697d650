/** What a dry run reports: the SQL that would run, and the data that would be lost. */
import type { VersionInPart } from '../../core/plan/in-part.ts';
import type { DryRunStep, EstimatedLoss } from '../../core/outcome.ts';
import type { Plan } from '../../core/plan/plan.ts';
import type { Session } from '../../core/ports.ts';
import type { Loss } from '../../core/sql/script-plan.ts';
import { analyzeSteps } from './analyze-steps.ts';
import type { PlannedStep } from '../apply/planned-step.ts';
import { findPending, isLeft, onServer } from './dry-run-findings.ts';
import { checkHeldVersions } from './held-versions.ts';
import { requireSameStatements, withProgress } from '../apply/resume.ts';
import type { Run } from './run.ts';

export async function rehearse(
  run: Run,
  preview: Plan,
  inPart: readonly VersionInPart[],
): Promise<readonly DryRunStep[]> {
  for (const ended of await checkHeldVersions(run, preview))
    run.ports.reporter.report({ type: 'hold.ended', ...ended, dryRun: true });
  const steps = await analyzeSteps(preview.steps, run.ports);
  return await dryRunSteps(await withProgress(steps, inPart, run.ports.parser), run);
}

async function dryRunSteps(steps: readonly PlannedStep[], run: Run): Promise<DryRunStep[]> {
  const { session } = run;
  const found = await findPending(run, steps);
  const reported: DryRunStep[] = [];
  for (const planned of steps) {
    const { version, direction, script } = planned.step;
    const source = planned.step.direction === 'down' ? planned.step.source : 'file';
    const { statements, from } = remaining(planned);
    const losses = await estimated(
      planned.losses.filter(({ offset }) => offset >= from),
      session,
    );
    const findings = await onServer(
      session,
      (found.get(version) ?? []).filter((one) => isLeft(one, from)),
    );
    reported.push({
      ...{ version, direction, source, sql: script.text, ...(statements && { statements }), losses },
      ...(findings.length > 0 && { findings }),
    });
  }
  return reported;
}

/** For a version in part: its statements, and the offset of the first one that will run. @throws as the run would. */
function remaining(planned: PlannedStep): { readonly statements?: DryRunStep['statements']; readonly from: number } {
  const { plan, begun } = planned;
  if (!begun) return { from: 0 };
  const { done } = begun.inPart;
  requireSameStatements(planned, begun.inPart, done);
  if (plan.mode === 'transaction') return { from: 0 };
  const statements = plan.units.map(({ sql, index, sessionOnly }) => ({
    sql,
    done: index <= done.length && !sessionOnly,
  }));
  return { statements, from: plan.units[done.length]?.offset ?? Infinity };
}

async function estimated(losses: readonly Loss[], { executor }: Session): Promise<EstimatedLoss[]> {
  const tables = losses.flatMap(({ table }) => table ?? []);
  const estimates = tables.length === 0 ? [] : await executor.tableSizes(tables);
  const rowsOf = new Map(tables.map((table, index) => [table, estimates[index]]));
  return losses.map(({ table, offset: _, ...loss }) => {
    const rows = table && rowsOf.get(table)?.rows;
    return rows === undefined ? loss : { ...loss, rows };
  });
}
