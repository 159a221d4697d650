/** Counts what one run does, reports it as it goes, and makes its outcome. */
import { MigratorError, toMigratorError, type ErrorCode } from '../../core/errors.ts';
import { mayBeOwnFault } from '../../core/self-inflicted.ts';
import type { JournalEntry } from '../../core/history.ts';
import { compareVersions, type Direction, type Version } from '../../core/migration.ts';
import type { DryRunStep, Outcome, StepResult } from '../../core/outcome.ts';
import type { Plan } from '../../core/plan/plan.ts';
import type { Clock, Reporter, Session, StepScript } from '../../core/ports.ts';

/** More skipped migrations than these are reported together. */
const MANY = 10;

export class Progress {
  waitedMs = 0;
  /** Of a dry run. */
  wouldRun: readonly DryRunStep[] | undefined;
  readonly #direction: Direction;
  readonly #dryRun: boolean;
  readonly #reporter: Reporter;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #done: StepResult[] = [];
  readonly #warnings = new Set<string>();
  #planned: readonly Version[] = [];
  #skipped: readonly Version[] = [];
  #pending: readonly Version[] = [];
  #failedVersion: Version | undefined;
  #reportedAhead = false;

  constructor(direction: Direction, dryRun: boolean, { reporter, clock }: { reporter: Reporter; clock: Clock }) {
    this.#direction = direction;
    this.#dryRun = dryRun;
    this.#reporter = reporter;
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  /** Reports each warning once, however often the plan is made. */
  warn(messages: readonly string[]): void {
    for (const message of messages) {
      if (this.#warnings.has(message)) continue;
      this.#warnings.add(message);
      this.#reporter.report({ type: 'warning', message });
    }
  }

  /** What is pending now, whether or not a plan follows. */
  sees(pending: readonly Version[]): void {
    this.#pending = pending;
  }

  upToDate(plan: Plan): void {
    this.planned(plan);
    this.#reporter.report({ type: 'migration.all-skipped', versions: plan.skipped, direction: this.#direction });
  }

  planned(plan: Plan): void {
    this.warn(plan.warnings);
    if (plan.ahead.length > 0 && !this.#reportedAhead) {
      this.#reportedAhead = true;
      this.#reporter.report({ type: 'database.ahead', versions: plan.ahead });
    }
    this.#planned = plan.steps.map(({ version }) => version);
    this.#skipped = plan.skipped;
    this.#pending = plan.pending;
  }

  start(plan: Plan): void {
    this.planned(plan);
    const direction = this.#direction;
    this.#reporter.report({ type: 'run.planned', direction, versions: this.#planned });
    if (plan.skipped.length > MANY) {
      this.#reporter.report({ type: 'migrations.skipped', versions: plan.skipped, direction });
      return;
    }
    for (const version of plan.skipped) this.#reporter.report({ type: 'migration.skipped', version, direction });
  }

  lost(runs: readonly JournalEntry[]): void {
    for (const { run, runner, version } of runs) {
      this.#reporter.report({ type: 'run.lost', run, runner: runner ?? '', version });
    }
  }

  applied(step: StepScript, durationMs: number): void {
    const { version, direction } = step;
    this.#done.push({ version, direction, durationMs });
    const type = direction === 'up' ? 'migration.applied' : 'migration.rolled-back';
    this.#reporter.report({ type, version, durationMs });
    if (step.direction === 'up' && step.ends)
      this.#reporter.report({ type: 'hold.ended', ...step.ends, dryRun: false });
  }

  /** Records and reports the failure of a step; resolves with the error to throw. */
  async stepFailed(session: Session, step: StepScript, cause: MigratorError): Promise<MigratorError> {
    const { version, direction } = step;
    const error = await this.#recordFailure(session, step, cause);
    this.#failedVersion = version;
    this.#reporter.report({ type: 'migration.failed', version, direction, error });
    return error;
  }

  /**
   * An error that the file itself may have caused is the file's fault if the server then accepts our entry: so the
   * server runs, and can be written to.
   */
  async #recordFailure(session: Session, step: StepScript, error: MigratorError): Promise<MigratorError> {
    if (session.lost.aborted) return error;
    const faulty = mayBeOwnFault(error) ? withCode(error, 'MIGRATION_FAILED') : error;
    return await session.journal.recordFailure(step, faulty).then(
      () => faulty,
      () => error,
    );
  }

  /** Reports whether other runs will apply again what was rolled back, now or before. */
  reportHeld({
    hold,
    before,
    reason,
  }: {
    readonly hold: boolean;
    readonly before: readonly Version[];
    readonly reason: string | undefined;
  }): void {
    const versions = [...this.#done.map(({ version }) => version), ...before];
    if (versions.length === 0) return;
    this.#reporter.report(hold ? { type: 'rollback.held', versions, reason } : { type: 'rollback.not-held', versions });
  }

  succeeded(): Outcome {
    const outcome = this.#outcome();
    const applied = this.#done.map((step) => step.version);
    if (!this.#dryRun)
      this.#reporter.report({
        type: 'run.finished',
        direction: this.#direction,
        applied,
        durationMs: outcome.durationMs,
      });
    return outcome;
  }

  /** The error, and with it what was done before it; an interruption also says what was at work. */
  failed(cause: unknown): MigratorError {
    const error = toMigratorError(cause);
    const version = this.#failedVersion;
    const interrupted = error.code === 'INTERRUPTED' && version !== undefined;
    return (interrupted ? whileRunning(error, version) : error).with({ outcome: this.#outcome() });
  }

  #outcome(): Outcome {
    const done = new Set(this.#done.map((step) => step.version));
    return {
      command: this.#direction,
      done: this.#done,
      notRun: this.#planned.filter((version) => !done.has(version) && version !== this.#failedVersion),
      skipped: this.#skipped,
      pending:
        this.#direction === 'up'
          ? this.#pending.filter((version) => !done.has(version))
          : [...this.#pending, ...done].sort(compareVersions),
      warnings: [...this.#warnings],
      dryRun: this.#dryRun,
      ...(this.wouldRun && { wouldRun: this.wouldRun }),
      waitedMs: this.waitedMs,
      durationMs: this.#clock.now() - this.#startedAt,
      ...(this.#failedVersion !== undefined && { failedVersion: this.#failedVersion }),
    };
  }
}

function whileRunning(error: MigratorError, version: Version): MigratorError {
  const summary = `${error.summary} while ${version} was running`;
  return new MigratorError(error.code, summary, { ...error.details, hint: error.hint, cause: error.cause, version });
}

function withCode(error: MigratorError, code: ErrorCode): MigratorError {
  return new MigratorError(code, error.summary, {
    ...error.details,
    hint: 'correct the file and run again; what failed is not applied',
    cause: error,
  });
}
