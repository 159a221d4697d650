/** `status` and `wait` with `--schemas`: they read. */
import { MigratorError } from '../../core/errors.ts';
import { describePending, missingVersions, problemOf, type TargetReport } from '../../core/fleet.ts';
import type { Migration } from '../../core/migration.ts';
import { describeHeldVersion, judgeHeldVersions } from '../../core/plan/held-versions.ts';
import { statusOf } from '../../core/plan/plan.ts';
import { onlyAddsToHistory } from '../../core/runner.ts';
import type { TenantSession, TenantsLook } from '../../core/tenants/ports.ts';
import { NAMED } from '../../core/tenants/report.ts';
import { selectSchemas, type Selection } from '../../core/tenants/select.ts';
import { Standings } from '../../core/tenants/standing.ts';
import { readTarget } from '../commands/fleet-status.ts';
import type { InspectOptions } from '../commands/inspect.ts';
import { connect } from '../session/connect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import { jitter } from '../session/jitter.ts';
import type { TenantsPorts } from './one-tenant.ts';

type Ports = Pick<TenantsPorts, 'database' | 'source' | 'reporter' | 'clock'>;

export interface LookOptions extends InspectOptions {
  readonly selection: Selection;
}

/** The state of each schema, in the order of their names. */
export async function readTenants(options: LookOptions, ports: Ports): Promise<TargetReport[]> {
  const { migrations } = await ports.source.read();
  return await inSession(options, ports, async (session) => {
    const { schemas } = await selected(session, options);
    const look = await session.look(schemas);
    return await reportsOf(schemas, { session, look }, { ...options, migrations }, ports);
  });
}

const POLL_MS = 1_000;

/** Resolves when nothing is pending in any. @throws MigratorError PENDING when the time is up. */
export async function waitForTenants(
  {
    timeoutMs,
    failOnFailure,
    ...options
  }: LookOptions & { readonly timeoutMs: number; readonly failOnFailure: boolean },
  ports: Ports,
): Promise<TargetReport[]> {
  const { migrations } = await ports.source.read();
  const { clock, reporter } = ports;
  const deadline = clock.now() + timeoutMs;
  return await inSession(options, ports, async (session) => {
    for (let told = ''; ; ) {
      const { schemas } = await selected(session, options);
      const look = await session.look(schemas);
      const standings = new Standings(migrations, { direction: 'up', target: { kind: 'latest' }, strict: false });
      const open = schemas.filter((schema) => standings.isOpen(schema, look));
      // Only what cannot be told from a look at many is read one by one.
      const missing =
        open.length === 0 ? [] : await reportsOf(open, { session, look }, { ...options, migrations }, ports);
      const wrong = missing.filter((report) => problemOf(report) !== undefined || report.seen?.holder);
      if (wrong.length === 0) return await reportsOf(schemas, { session, look }, { ...options, migrations }, ports);
      refuseHeld(wrong, schemas.length, options.runner.release);
      const message = `waiting for ${wrong.length} of ${schemas.length} schemas: ${named(wrong)}`;
      const hasFailed = wrong.some(({ seen }) => seen?.failed && !seen.holder);
      if (failOnFailure && hasFailed) throw notApplied(`${message}; one has failed (--fail-on-failure)`, wrong);
      if (clock.now() >= deadline)
        throw notApplied(`not all migrations were applied within --timeout=${timeoutMs / 1000}s: ${message}`, wrong);
      const pending = [...new Set(wrong.flatMap(({ seen }) => missingVersions(seen?.rows ?? [])))];
      if (message !== told) reporter.report({ type: 'wait.pending', message, pending });
      told = message;
      await clock.sleep(jitter(clock, POLL_MS), options.signal);
      options.signal.throwIfAborted();
    }
  });
}

async function inSession<T>(
  options: InspectOptions,
  ports: Ports,
  body: (session: TenantSession) => Promise<T>,
): Promise<T> {
  const { session } = await connect({ ...options, writes: false }, ports, options.signal);
  try {
    return await interruptedBy(options.signal, session, () => body(session));
  } finally {
    await session.close();
  }
}

async function selected(session: TenantSession, { selection }: LookOptions): Promise<ReturnType<typeof selectSchemas>> {
  return selectSchemas((await session.check()).candidates, selection);
}

async function reportsOf(
  schemas: readonly string[],
  { session, look }: { readonly session: TenantSession; readonly look: TenantsLook },
  options: LookOptions & { readonly migrations: readonly Migration[] },
  ports: Ports,
): Promise<TargetReport[]> {
  const { migrations } = options;
  const standings = new Standings(migrations, { direction: 'up', target: { kind: 'latest' }, strict: false });
  const reports: TargetReport[] = [];
  for (const schema of schemas) {
    const known = knownOf(schema, look, { standings, migrations });
    const open = (): ReturnType<Parameters<typeof readTarget>[0]['open']> => ({
      options,
      ports: { ...ports, database: session.tenant(schema, ports.reporter) },
    });
    if (look.present.has(schema)) reports.push(known ?? (await readTarget({ name: schema, open }, migrations)));
    options.signal.throwIfAborted();
  }
  return reports;
}

/** Undefined where the schema has to be looked at alone. */
function knownOf(
  schema: string,
  { looks, ...more }: TenantsLook,
  { standings, migrations }: { readonly standings: Standings; readonly migrations: readonly Migration[] },
): TargetReport | undefined {
  const look = looks.get(schema);
  const isKnown =
    look && look.holder === undefined && (!look.history.exists || !standings.isOpen(schema, { looks, ...more }));
  return isKnown ? { target: schema, seen: { rows: statusOf(migrations, look.history.applied) } } : undefined;
}

function named(reports: readonly TargetReport[]): string {
  const names = reports.slice(0, 3).map(({ target }) => target);
  return `${names.join(', ')}${reports.length > names.length ? ', …' : ''}`;
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
