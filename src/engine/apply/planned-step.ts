/** A step made ready to run. */
import type { VersionInPart } from '../../core/plan/in-part.ts';
import type { StepScript } from '../../core/ports.ts';
import type { Loss, ScriptPlan, Unit } from '../../core/sql/script-plan.ts';

export interface PlannedStep {
  readonly step: StepScript;
  readonly plan: ScriptPlan;
  readonly losses: readonly Loss[];
  /** Where an earlier run has begun it. */
  readonly begun?: Begun;
}

export interface Begun {
  readonly inPart: VersionInPart;
  /** The statement that was started, with its text at that time; undefined when there is none, or it is unknown. */
  readonly started: Unit | undefined;
}
