/** Runs one migration: its hook, then its script in one transaction or statement by statement. */
import type { HookRunner, Limits, Session, StepScript } from '../../core/ports.ts';
import { runUnits } from './apply-statements.ts';
import type { PlannedStep } from './planned-step.ts';
import { resume } from './resume.ts';
import { retrying } from './retry.ts';
import { watching } from './watch.ts';
import type { StepContext } from './step-context.ts';

/** Resolves with its duration in milliseconds. @throws MigratorError; then nothing more of the step runs. */
export async function applyStep(
  session: Session,
  planned: PlannedStep,
  context: StepContext & { readonly next?: StepScript | undefined },
): Promise<number> {
  const { step, plan } = planned;
  const { ports, options, signal } = context;
  // A step with a hook begins after its hook.
  const next = context.next && hasHook(context.next, ports.hooks) ? undefined : context.next;
  const startedAt = ports.clock.now();
  const limits = limitsOf(step, options.limits);
  const done = await resume(planned, { session, ports });
  await runHook(session, step, context);
  ports.reporter.report({ type: 'migration.started', version: step.version, direction: step.direction });
  if (plan.mode === 'transaction') {
    const retry = plan.pieces.some(
      ({ blocking, ownLimit, runsCode }) => blocking || ownLimit === true || runsCode === true,
    );
    const { version } = step;
    const attempt = { session, version, pieces: plan.pieces, retry, signal, lockTimeoutMs: limits.lockTimeoutMs };
    await retrying(attempt, ports, () =>
      watching(attempt, ports, () => session.executor.transaction(step, plan.pieces, limits, next)),
    );
    return ports.clock.now() - startedAt;
  }
  await session.executor.begin(step);
  await runUnits(plan.units, done.length, { ...context, session, step, limits });
  const durationMs = ports.clock.now() - startedAt;
  await session.executor.finish(step, durationMs);
  return durationMs;
}

function limitsOf({ script }: StepScript, defaults: Limits): Limits {
  return {
    lockTimeoutMs: script.directives.lockTimeoutMs ?? defaults.lockTimeoutMs,
    statementTimeoutMs: script.directives.statementTimeoutMs ?? defaults.statementTimeoutMs,
  };
}

function hasHook(step: StepScript, hooks: HookRunner): boolean {
  return step.direction === 'up' && hooks.has(step.migration);
}

async function runHook(session: Session, step: StepScript, context: StepContext): Promise<void> {
  const { ports, options, signal } = context;
  if (step.direction === 'down' || !hasHook(step, ports.hooks)) return;
  const { version, migration } = step;
  const stop = AbortSignal.any([signal, session.lost]);
  // A signal that is aborted already fires no event.
  stop.throwIfAborted();
  const startedAt = ports.clock.now();
  ports.reporter.report({ type: 'hook.started', version });
  await ports.hooks.run(migration, { timeoutMs: options.hookTimeoutMs, signal: stop }).catch(async (error: unknown) => {
    // A server that goes away closes the hook's connections too, maybe a moment before ours.
    if (!signal.aborted) await session.check().catch(() => undefined);
    session.lost.throwIfAborted();
    throw error;
  });
  signal.throwIfAborted();
  session.lost.throwIfAborted();
  ports.reporter.report({ type: 'hook.finished', version, durationMs: ports.clock.now() - startedAt });
}
