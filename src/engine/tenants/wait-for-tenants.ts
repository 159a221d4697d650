/** `wait` with `--schemas`: returns when nothing is pending in any; it only reads. */
import { MigratorError } from '../../core/errors.ts';
import { describePending, fleetError, missingVersions, problemOf, type TargetReport } from '../../core/fleet.ts';
import type { Migration } from '../../core/migration.ts';
import { describeHeldVersion, judgeHeldVersions } from '../../core/plan/held-versions.ts';
import { onlyAddsToHistory } from '../../core/runner.ts';
import type { TenantSession } from '../../core/tenants/ports.ts';
import { NAMED } from '../../core/tenants/report.ts';
import { Standings } from '../../core/tenants/standing.ts';
import { connect } from '../session/connect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import { jitter } from '../session/jitter.ts';
import { reportsOf, selected, type LookOptions, type LookPorts } from './look-at-tenants.ts';

const POLL_MS = 1_000;

export interface TenantsWaitOptions extends LookOptions {
  /** In milliseconds; 0 looks once. */
  readonly timeoutMs: number;
  /** Whether to end at a failure of what is waited for, once no runner is at work. */
  readonly failOnFailure: boolean;
}

interface Waiting extends TenantsWaitOptions {
  readonly migrations: readonly Migration[];
  readonly deadline: number;
}

/** @throws MigratorError PENDING when the time is up; at once what no waiting changes. */
export async function waitForTenants(options: TenantsWaitOptions, ports: LookPorts): Promise<TargetReport[]> {
  const { migrations } = await ports.source.read();
  const { clock } = ports;
  const { signal, timeoutMs, connectWaitMs } = options;
  const deadline = clock.now() + timeoutMs;
  for (;;) {
    const leftMs = Math.max(0, deadline - clock.now());
    const connecting = { ...options, connectWaitMs: Math.min(connectWaitMs, leftMs), writes: false };
    const { session } = await connect(connecting, ports, signal);
    try {
      const waiting = { ...options, migrations, deadline };
      return await interruptedBy(signal, session, () => poll(session, waiting, ports));
    } catch (error) {
      signal.throwIfAborted();
      // If the server restarts meanwhile, wait for it as at the start.
      if (!session.lost.aborted || clock.now() >= deadline) throw error;
    } finally {
      await session.close();
    }
  }
}

async function poll(session: TenantSession, options: Waiting, ports: LookPorts): Promise<TargetReport[]> {
  const { migrations, deadline, timeoutMs, failOnFailure, runner, signal } = options;
  const { clock, reporter } = ports;
  for (let told = ''; ; ) {
    const begun = clock.now();
    const { schemas } = await selected(session, options);
    const look = await session.look(schemas);
    const standings = new Standings(migrations, { direction: 'up', target: { kind: 'latest' }, strict: false });
    const open = schemas.filter((schema) => standings.isOpen(schema, look));
    // Only what cannot be told from a look at many is read one by one.
    const reports = open.length === 0 ? [] : await reportsOf(open, { session, look }, options, ports);
    const wrong = reports.filter((report) => problemOf(report) !== undefined || report.seen?.holder);
    if (wrong.length === 0) return await reportsOf(schemas, { session, look }, options, ports);
    refuseUnreadable(wrong);
    refuseHeld(wrong, schemas.length, runner.release);
    const message = `waiting for ${wrong.length} of ${schemas.length} schemas: ${named(wrong)}`;
    const hasFailed = wrong.some(({ seen }) => seen?.failed && !seen.holder);
    if (failOnFailure && hasFailed) throw notApplied(`${message}; one has failed (--fail-on-failure)`, wrong);
    if (clock.now() >= deadline)
      throw notApplied(`not all migrations were applied within --timeout=${timeoutMs / 1000}s: ${message}`, wrong);
    const pending = [...new Set(wrong.flatMap(({ seen }) => missingVersions(seen?.rows ?? [])))];
    if (message !== told) reporter.report({ type: 'wait.pending', message, pending });
    told = message;
    // To read thousands takes long: it is not done more than half of the time.
    const tookMs = Math.min(clock.now() - begun, Math.max(0, deadline - clock.now()));
    await clock.sleep(Math.max(jitter(clock, POLL_MS), tookMs), signal);
    signal.throwIfAborted();
  }
}

/** @throws MigratorError when a schema cannot be read, and somebody must act before it can. */
function refuseUnreadable(wrong: readonly TargetReport[]): void {
  const refused = wrong.filter(({ seen, error }) => !seen && error && error.exit >= 20 && error.exit < 30);
  const error = fleetError(refused, { noun: 'schemas', codeOf: problemOf });
  if (error) throw error;
}

/** @throws MigratorError HISTORY_CONFLICT when a rollback holds what is pending: this release will not apply it. */
function refuseHeld(wrong: readonly TargetReport[], count: number, release: string | undefined): void {
  const held = wrong.flatMap(({ target, seen }) => {
    if (!seen || (seen.holder && !onlyAddsToHistory(seen.holder))) return [];
    const holds = seen.rows.flatMap(({ hold }) => hold ?? []);
    const { binding } = judgeHeldVersions(holds, missingVersions(seen.rows), { release, reapply: [] });
    return binding.length === 0 ? [] : [{ target, binding }];
  });
  if (held.length === 0) return;
  const versions = [...new Set(held.flatMap(({ binding }) => binding.map(({ version }) => version)))];
  throw new MigratorError(
    'HISTORY_CONFLICT',
    `${held.length} of ${count} schemas wait for versions that are held: rolled back on purpose, and not to be applied again by this release`,
    {
      problems: firstOf(held.map(({ target, binding }) => `${target}: ${binding.map(describeHeldVersion).join('; ')}`)),
      hint: `deploy a new release, or apply them again on purpose: lockstep up --schemas … --reapply ${versions.join(',')}`,
    },
  );
}

function firstOf(problems: readonly string[]): string[] {
  const left = problems.length - NAMED;
  return [...problems.slice(0, NAMED), ...(left > 0 ? [`and ${left} more`] : [])];
}

function notApplied(summary: string, wrong: readonly TargetReport[]): MigratorError {
  return new MigratorError('PENDING', summary, {
    problems: firstOf(
      wrong.map((report) => `${report.target}: ${report.error?.summary ?? describePending(report.seen)}`),
    ),
    hint: 'look at the runner that applies them (its log, or "lockstep status --schemas"), or wait longer',
  });
}

function named(reports: readonly TargetReport[]): string {
  const names = reports.slice(0, 3).map(({ target }) => target);
  return `${names.join(', ')}${reports.length > names.length ? ', …' : ''}`;
}
