/** Runs the migrations of one schema of many. */
import { ERRORS, toMigratorError, type MigratorError } from '../../core/errors.ts';
import type { MigratorEventType } from '../../core/events.ts';
import type { HookRunner, MigrationSet, Reporter } from '../../core/ports.ts';
import type { TenantDatabase, TenantSession } from '../../core/tenants/ports.ts';
import type { TenantResult } from '../../core/tenants/report.ts';
import { migrate } from '../migrate/migrate.ts';
import type { MigrateOptions, MigratePorts } from '../migrate/run.ts';

export interface TenantsPorts extends Omit<MigratePorts, 'database' | 'hooks'> {
  readonly database: TenantDatabase;
  /** Their connections have this search_path. */
  readonly hooksOf: (searchPath: string) => HookRunner;
}

/** Of a schema that another run works in. */
export interface Taken {
  readonly schema: string;
  readonly taken: MigratorError;
}

export async function migrateOne(
  schema: string,
  session: TenantSession,
  options: MigrateOptions,
  { files, ...ports }: TenantsPorts & { readonly files: MigrationSet },
): Promise<TenantResult | Taken> {
  const reporter = reporterOf(schema, ports.reporter);
  try {
    const outcome = await migrate(
      // Whoever finds a schema taken goes on with the next.
      { ...options, lockWaitMs: 0 },
      {
        ...ports,
        reporter,
        database: session.tenant(schema, reporter),
        source: { read: () => Promise.resolve({ ...files, remarks: [] }) },
        hooks: ports.hooksOf(session.searchPathOf(schema)),
      },
    );
    const isDone = outcome.done.length > 0 || (outcome.wouldRun?.length ?? 0) > 0;
    return { schema, state: isDone ? 'done' : 'up to date', outcome };
  } catch (cause) {
    const error = toMigratorError(cause);
    if (error.code === 'LOCK_TIMEOUT') return { schema, taken: error };
    if (await isGone(schema, session)) return { schema, state: 'gone' };
    return { schema, state: 'failed', outcome: error.details.outcome, error };
  }
}

async function isGone(schema: string, session: TenantSession): Promise<boolean> {
  if (session.lost.aborted) return false;
  return await session.look([]).then(
    ({ present }) => !present.has(schema),
    () => false,
  );
}

/** Whether the same may succeed a little later without a person. */
export function mayPass({ code }: MigratorError): boolean {
  const { exit } = ERRORS[code];
  return exit >= 30 && exit < 40;
}

/** What is the same in every schema: the run over all has its own. */
const LEFT_OUT: ReadonlySet<MigratorEventType> = new Set([
  'session.opened',
  'lock.waiting',
  'lock.acquired',
  'lock.released',
  'run.planned',
  'run.finished',
  'migration.skipped',
  'migration.all-skipped',
  'database.ahead',
]);

function reporterOf(schema: string, reporter: Reporter): Reporter {
  return {
    report(event) {
      if (!LEFT_OUT.has(event.type)) reporter.report({ type: 'tenant.event', schema, event });
    },
  };
}
