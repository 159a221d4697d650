/** How each event is logged: its level, its fixed message, and its facts as fields. */
import type { MigratorEvent, MigratorEventOf, MigratorEventType, TenantEventType } from '../../core/events.ts';
import { describeHeldVersion } from '../../core/plan/held-versions.ts';
import { describeFailure } from '../../core/history.ts';
import { describeBlocker, describeHolder } from '../../core/runner.ts';
import { counted, seconds } from '../words.ts';
import type { Description } from './description.ts';
import { errorFields, failureFields, holderFields } from './fields.ts';

export type DescriptionsOf<Type extends MigratorEventType> = {
  readonly [T in Type]: (event: MigratorEventOf<T>) => Description;
};

const DESCRIPTIONS: DescriptionsOf<Exclude<MigratorEventType, TenantEventType>> = {
  'database.waiting': ({ attempt, retryInMs, error }) => ({
    level: 'warn',
    message: 'waiting for the database',
    fields: { attempt, retryInMs, error: errorFields(error) },
    detail: `${error.summary}; retrying in ${seconds(retryInMs)}`,
  }),
  'session.opened': ({ address, database, pid }) => ({
    level: 'debug',
    message: 'connected',
    fields: { address, database, pid },
    detail: `${address}, database ${database}, pid ${pid}`,
  }),
  'session.setting-refused': ({ setting, reason }) => ({
    level: 'debug',
    message: 'the server refused a session setting; continuing without it',
    fields: { setting, reason },
    detail: `${setting}: ${reason}`,
  }),
  'lock.waiting': ({ key, waitedMs, holder }) => ({
    level: 'info',
    message: 'waiting for the lock',
    fields: { key, waitedMs, ...(holder && { holder: holderFields(holder) }) },
    detail: holder ? `held by ${describeHolder(holder)}` : 'this role cannot see its holder',
  }),
  'lock.acquired': ({ key, waitedMs }) => ({
    level: 'info',
    message: 'got the lock',
    fields: { key, waitedMs },
    detail: `key ${key}${waitedMs < 1000 ? '' : `, after ${seconds(waitedMs)}`}`,
  }),
  'lock.released': ({ key }) => ({
    level: 'debug',
    message: 'released the lock',
    fields: { key },
    detail: `key ${key}`,
  }),
  'lock.waiters-cancelled': ({ waiters }) => ({
    level: 'warn',
    message: 'cancelled runners that were blocked inside PostgreSQL on the lock',
    fields: { waiters: waiters.map(holderFields) },
    detail: waiters.map(describeHolder).join(', '),
  }),
  'wait.pending': ({ message, pending }) => ({
    level: 'info',
    message: 'not up to date yet',
    fields: { text: message, pending, count: pending.length },
    detail: message,
  }),
  'wait.failed': ({ version, failure }) => ({
    level: 'warn',
    message: 'a migration that is waited for has failed',
    fields: { version, failure: failureFields(failure) },
    detail: describeFailure(failure),
  }),
  'database.ahead': ({ versions }) => ({
    level: 'debug',
    message: 'the database is ahead of these files',
    fields: { versions, count: versions.length },
    detail: counted(versions.length, 'migration'),
  }),
  'run.planned': ({ direction, versions }) => ({
    level: 'info',
    message: 'planned',
    fields: { direction, versions, count: versions.length },
    detail: `${counted(versions.length, 'migration')} ${direction}`,
  }),
  'run.lost': ({ run, runner, version }) => ({
    level: 'warn',
    message: 'an earlier run ended without a record',
    fields: { lostRun: run, runner, ...(version !== undefined && { version }) },
    detail: `${runner}${version === undefined ? '' : `, at ${version}`}`,
  }),
  'migration.skipped': ({ version, direction }) => ({
    level: 'info',
    message: 'skipped: nothing to do',
    fields: { version, direction },
    detail: `${direction} ${version}`,
    alsoOnStdout: true,
  }),
  'migrations.skipped': ({ versions, direction }) => ({
    level: 'info',
    message: 'skipped several: nothing to do',
    fields: { direction, count: versions.length },
    detail: `${direction}, ${counted(versions.length, 'migration')}`,
    alsoOnStdout: true,
  }),
  'migration.all-skipped': ({ versions, direction }) => ({
    level: 'info',
    message: 'nothing to do',
    fields: { direction, count: versions.length },
    detail: `${counted(versions.length, 'migration')} already ${direction === 'up' ? 'applied' : 'rolled back'}`,
    alsoOnStdout: true,
  }),
  'migration.started': ({ version, direction }) => ({
    level: 'info',
    message: 'running a migration',
    fields: { version, direction },
    detail: `${direction} ${version}`,
  }),
  'migration.retrying': ({ version, attempt, retryInMs, error }) => ({
    level: 'warn',
    message: 'could not get a table lock; the migration was rolled back and will be retried',
    fields: { version, attempt, retryInMs, error: errorFields(error) },
    detail: [
      `${version}, attempt ${attempt}, retry in ${seconds(retryInMs)}`,
      error.details.server?.message ?? error.summary,
      ...(error.details.blockers ?? []).map((blocker) => `blocked by ${describeBlocker(blocker)}`),
    ].join('; '),
  }),
  'migration.applied': ({ version, durationMs }) => ({
    level: 'info',
    message: 'applied',
    fields: { version, direction: 'up', durationMs },
    detail: `${version} in ${seconds(durationMs)}`,
    alsoOnStdout: true,
  }),
  'migration.rolled-back': ({ version, durationMs }) => ({
    level: 'info',
    message: 'rolled back',
    fields: { version, direction: 'down', durationMs },
    detail: `${version} in ${seconds(durationMs)}`,
    alsoOnStdout: true,
  }),
  'rollback.held': ({ versions, reason }) => ({
    level: 'info',
    message: 'held: known releases will not apply it again',
    fields: { versions, ...(reason !== undefined && { reason }) },
    detail: `${versions.join(', ')}${reason === undefined ? '' : ` (${reason})`}`,
  }),
  'rollback.not-held': ({ versions }) => ({
    level: 'info',
    message: 'not held: the next "up" applies it again',
    fields: { versions },
    detail: versions.join(', '),
  }),
  'hold.ended': ({ hold, because, dryRun }) => ({
    level: 'warn',
    message: dryRun ? 'would end a hold, for every release' : 'a hold ends, for every release',
    fields: {
      version: hold.version,
      because,
      dryRun,
      heldBy: hold.by,
      heldSince: hold.at.toISOString(),
      ...(hold.reason !== undefined && { reason: hold.reason }),
    },
    detail: `${because}; ${describeHeldVersion(hold)}`,
  }),
  'migration.baselined': ({ version }) => ({
    level: 'info',
    message: 'recorded as applied without running it',
    fields: { version },
    detail: version,
    alsoOnStdout: true,
  }),
  'migration.imported': ({ version, as, dryRun }) => ({
    level: 'info',
    message: dryRun ? 'would record as applied' : 'recorded as applied',
    fields: { version, as, dryRun },
    detail: `${version}, recorded there as ${as}`,
    alsoOnStdout: true,
  }),
  'table.renamed': ({ table, to, dryRun }) => ({
    level: 'info',
    message: dryRun ? "would rename the other tool's table" : "renaming the other tool's table",
    fields: { table, to, dryRun },
    detail: `${table} to ${to}`,
  }),
  'repair.planned': ({ version, action, diff, dryRun }) => ({
    level: 'info',
    message: dryRun ? 'would repair' : 'repairing',
    fields: { version, action, ...(diff && { diff }), dryRun },
    detail: `${version}: ${action}`,
    alsoOnStdout: true,
  }),
  'migration.failed': ({ version, direction, error }) => ({
    level: 'error',
    message: 'a migration failed',
    fields: { version, direction, error: errorFields(error) },
    detail: `${direction} ${version}: ${error.summary}`,
    alsoOnStdout: true,
  }),
  'statement.finished': ({ version, statement, of }) => ({
    level: 'info',
    message: 'finished a statement',
    fields: { version, statement, of },
    detail: `${version}, ${statement} of ${of}`,
  }),
  'statement.running': ({ version, elapsedMs, progress, blockers }) => ({
    level: 'info',
    message: 'a statement is still running',
    fields: { version, elapsedMs, ...(progress && { progress }), ...(blockers.length > 0 && { blockers }) },
    detail: [
      `${version}, ${seconds(elapsedMs)}`,
      ...(progress
        ? [progress.percent === undefined ? progress.phase : `${progress.phase} ${progress.percent} %`]
        : []),
      ...blockers.map((blocker) => `blocked by ${describeBlocker(blocker)}`),
    ].join(', '),
  }),
  'index.dropped': ({ version, index }) => ({
    level: 'warn',
    message: 'dropped an invalid index left by a failed build',
    fields: { version, index },
    detail: `${index} of ${version}`,
  }),
  'hook.started': ({ version }) => ({
    level: 'info',
    message: 'running a pre-migration hook',
    fields: { version },
    detail: version,
  }),
  'hook.finished': ({ version, durationMs }) => ({
    level: 'info',
    message: 'finished a pre-migration hook',
    fields: { version, durationMs },
    detail: `${version} in ${seconds(durationMs)}`,
  }),
  'hook.log': ({ version, message }) => ({
    level: 'info',
    message: 'output of a pre-migration hook',
    fields: { version, text: message },
    detail: `${version}: ${message}`,
  }),
  'server.notice': ({ severity, message }) => ({
    level: severity === 'WARNING' ? 'warn' : severity.startsWith('DEBUG') ? 'debug' : 'info',
    message: 'message from the server',
    fields: { severity, text: message },
    detail: `${severity}: ${message}`,
  }),
  warning: ({ message, version }) => ({
    level: 'warn',
    message: 'warning',
    fields: { text: message, ...(version !== undefined && { version }) },
    detail: message,
  }),
  'run.finished': ({ direction, applied, durationMs }) => ({
    level: 'info',
    message: 'done',
    fields: { ...(direction !== undefined && { direction }), versions: applied, count: applied.length, durationMs },
    detail: `${counted(applied.length, 'migration')} in ${seconds(durationMs)}`,
    alsoOnStdout: true,
  }),
  'run.failed': ({ error }) => ({
    level: 'error',
    message: 'failed',
    fields: { error: errorFields(error) },
    detail: error.summary,
    alsoOnStdout: true,
  }),
};

/** For events that only some runs report, which load their texts with what reports them. */
export function describeToo(more: Partial<DescriptionsOf<MigratorEventType>>): void {
  Object.assign(DESCRIPTIONS, more);
}

export function describeEvent(event: MigratorEvent): Description {
  // The table has a function per type; TypeScript can't tie the two together.
  const described = DESCRIPTIONS as DescriptionsOf<MigratorEventType>;
  return (described[event.type] as (event: MigratorEvent) => Description)(event);
}
