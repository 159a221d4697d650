/**
 * Resumes a version in part: settles the statement in which its last run died, and compares the file with what is done.
 */
import { MigratorError } from '../../core/errors.ts';
import { waysOut, type VersionInPart } from '../../core/plan/in-part.ts';
import { checksum } from '../../core/migration.ts';
import type { Reporter, Session, StepScript } from '../../core/ports.ts';
import type { SqlParser, Unit } from '../../core/sql/script-plan.ts';
import { analyze } from './analyze.ts';
import type { Begun, PlannedStep } from './planned-step.ts';
import { dropInvalid, effectUnknown, settle, settleRemoved } from './settle.ts';

/** The steps with what earlier runs have left of them. */
export async function withProgress(
  steps: readonly PlannedStep[],
  inPart: readonly VersionInPart[],
  parser: SqlParser,
): Promise<PlannedStep[]> {
  const parts = new Map(inPart.map((one) => [one.version, one]));
  const planned: PlannedStep[] = [];
  for (const one of steps) {
    const part = parts.get(one.step.version);
    planned.push(
      part
        ? { ...one, begun: { inPart: part, started: unitInFile(one, part) ?? (await startedUnit(part, parser)) } }
        : one,
    );
  }
  return planned;
}

/** Identified by its text and place: a statement that was moved is another one. */
function unitInFile({ plan }: PlannedStep, { started }: VersionInPart): Unit | undefined {
  if (!started || plan.mode === 'transaction') return undefined;
  const unit = plan.units[started.statement - 1];
  return unit && checksum(unit.sql) === started.checksum ? unit : undefined;
}

/** The started statement as its own text says; undefined when that is not known or can't be read. */
export async function startedUnit({ direction, started }: VersionInPart, parser: SqlParser): Promise<Unit | undefined> {
  if (started?.sql === undefined) return undefined;
  const script = {
    file: '',
    text: started.sql,
    checksum: started.checksum,
    directives: { noTransaction: true, irreversible: false },
  };
  const { plan } = await analyze(script, direction, parser);
  const unit = plan.mode === 'statements' ? plan.units[0] : undefined;
  return unit && { ...unit, index: started.statement };
}

interface ResumeContext {
  readonly session: Session;
  readonly ports: { readonly reporter: Reporter };
}

/**
 * The checksums of the statements that are done. @throws MigratorError MIGRATION_INCOMPLETE when the result of one is
 * unknown, HISTORY_CONFLICT when the file does not begin with what is done.
 */
export async function resume(planned: PlannedStep, { session, ports }: ResumeContext): Promise<readonly string[]> {
  const { step, begun } = planned;
  if (!begun) return [];
  const { inPart } = begun;
  const isInFile = unitInFile(planned, inPart) !== undefined;
  const done = inPart.started ? await afterSettling(begun, { session, ports, step, isInFile }) : inPart.done;
  requireSameStatements(planned, inPart, done);
  return done;
}

async function afterSettling(
  { inPart, started }: Begun,
  context: ResumeContext & { readonly step: StepScript; readonly isInFile: boolean },
): Promise<readonly string[]> {
  const { session, step, isInFile } = context;
  const row = inPart.started;
  if (!row || !started) throw effectUnknown(step, row?.statement ?? 0);
  if (await (isInFile ? settle(started, context) : settleRemoved(started, context))) {
    await session.executor.statementDone(step, started, 0);
    return inPart.done.toSpliced(row.statement - 1, 1, row.checksum);
  }
  if (!isInFile) {
    // No later statement would remove it: the file has another statement in its place now.
    await dropInvalid(started, context);
    await session.executor.statementFailed(step, started);
  }
  return inPart.done;
}

/**
 * Finished statements stay finished only if the file still begins with them. @throws MigratorError HISTORY_CONFLICT.
 */
export function requireSameStatements(
  { step, plan }: PlannedStep,
  inPart: VersionInPart,
  done: readonly string[],
): void {
  if (done.length === 0) return;
  const begun = `${step.script.file} was ${step.direction === 'up' ? 'applied' : 'rolled back'} in part`;
  const refused = (why: string, restore: string): MigratorError =>
    new MigratorError('HISTORY_CONFLICT', `${begun}${why}`, {
      version: step.version,
      hint: `${restore}; then ${waysOut(inPart)}`,
    });
  if (plan.mode === 'transaction') {
    throw refused(', statement by statement, and would now run as one transaction', 'restore the statements that ran');
  }
  const differs = done.findIndex((sum, index) => {
    const unit = plan.units[index];
    return unit === undefined || checksum(unit.sql) !== sum;
  });
  if (differs === -1) return;
  throw refused(
    `, and its statement ${differs + 1} is not the one that ran`,
    'restore the file as it was when it ran: new statements may only follow the finished ones',
  );
}
