/** What a dry run tells: the SQL that would run, and what of the data would be gone. */
import type { DryRunStep, EstimatedLoss } from '../core/outcome.ts';
import type { Plan } from '../core/plan.ts';
import type { Session } from '../core/ports.ts';
import type { Loss } from '../core/sql/script-plan.ts';
import { analyzeSteps } from './analyze-steps.ts';
import type { PlannedStep } from './apply.ts';
import { tellEnded } from './held.ts';
import { held, type Run } from './run.ts';

export async function rehearse(run: Run, preview: Plan): Promise<readonly DryRunStep[]> {
  tellEnded(await held(run, preview), run.ports.reporter, true);
  return await dryRunSteps(await analyzeSteps(preview.steps, run.ports), run.session);
}

async function dryRunSteps(steps: readonly PlannedStep[], session: Session): Promise<DryRunStep[]> {
  const told: DryRunStep[] = [];
  for (const { step, losses } of steps) {
    const { version, direction, script } = step;
    const source = direction === 'down' ? step.source : 'file';
    told.push({ version, direction, source, sql: script.text, losses: await estimated(losses, session) });
  }
  return told;
}

async function estimated(losses: readonly Loss[], { executor }: Session): Promise<EstimatedLoss[]> {
  const tables = losses.flatMap(({ table }) => table ?? []);
  const estimates = tables.length === 0 ? [] : await executor.rowEstimates(tables);
  const rowsOf = new Map(tables.map((table, index) => [table, estimates[index]]));
  return losses.map(({ table, ...loss }) => {
    const rows = table && rowsOf.get(table);
    return rows === undefined ? loss : { ...loss, rows };
  });
}
