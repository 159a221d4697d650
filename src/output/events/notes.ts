/** The notes of Kubernetes Events: the sentence that `kubectl describe` shows behind the reason. */
import { describeBriefly } from '../../core/brief-error.ts';
import type { MigratorError } from '../../core/errors.ts';
import type { MigratorEventOf } from '../../core/events.ts';
import type { Direction, Version } from '../../core/migration.ts';
import { describeBlocker, describeHolder, type Holder } from '../../core/runner.ts';
import { cutBytes, oneLine } from '../../core/text/one-line.ts';
import type { TenantCounts } from '../../core/tenants/report.ts';
import { counted, seconds } from '../words.ts';

/** The API server refuses a longer note (events.k8s.io/v1). */
export const MAX_NOTE_BYTES = 1024;

/** One line that the API server accepts. */
export function fittedNote(text: string): string {
  return cutBytes(oneLine(text), MAX_NOTE_BYTES);
}

export function unreachableNote(error: MigratorError): string {
  return `Still trying to connect: ${describeBriefly(error, MAX_NOTE_BYTES)}`;
}

export function waitingNote(holder: Holder | undefined): string {
  return `Waiting for the lock, held by ${holder ? describeHolder(holder) : 'a session that this role cannot see'}`;
}

export function aheadNote(versions: readonly Version[]): string {
  return `The database is ahead: ${migrations(versions)} applied without a file here: ${listed(versions)}`;
}

export function plannedNote(direction: Direction, versions: readonly Version[]): string {
  return `${direction === 'up' ? 'Applying' : 'Rolling back'} ${migrations(versions)}: ${listed(versions)}`;
}

export function stepNote(direction: Direction, version: Version, durationMs: number): string {
  return `${direction === 'up' ? 'Applied' : 'Rolled back'} ${version} in ${seconds(durationMs)}`;
}

/** Without the blockers' queries, which are for the log. */
export function progressNote({ version, elapsedMs, progress, blockers }: MigratorEventOf<'statement.running'>): string {
  const parts = [`A statement of ${version} has run for ${seconds(elapsedMs)}`];
  if (progress) parts.push(progress.percent === undefined ? progress.phase : `${progress.phase} ${progress.percent} %`);
  for (const { pid, applicationName } of blockers)
    parts.push(`blocked by ${describeBlocker({ pid, applicationName })}`);
  return parts.join(', ');
}

export function nothingToDoNote(direction: Direction, versions: readonly Version[]): string {
  return direction === 'up' ? `Nothing to do: ${migrations(versions)} already applied` : 'Nothing to roll back';
}

export function finishedNote(direction: Direction, versions: readonly Version[], durationMs: number): string {
  const done = direction === 'up' ? 'Applied' : 'Rolled back';
  return `${done} ${migrations(versions)} in ${seconds(durationMs)}; the last was ${versions.at(-1)}`;
}

export function failedNote(error: MigratorError): string {
  const prefix = `${error.code} (exit ${error.exit}): `;
  return prefix + describeBriefly(error, MAX_NOTE_BYTES - prefix.length);
}

export function tenantsPlannedNote(direction: Direction, work: number, schemas: number): string {
  return `${direction === 'up' ? 'Applying' : 'Rolling back'} in ${work} of ${schemas} schemas`;
}

export function tenantsFinishedNote(
  direction: Direction,
  { done, upToDate }: TenantCounts,
  durationMs: number,
): string {
  const doing = direction === 'up' ? 'Applied' : 'Rolled back';
  return `${doing} in ${counted(done, 'schema')} in ${seconds(durationMs)}; nothing to do in ${upToDate}`;
}

export function tenantsUpToDateNote({ upToDate }: TenantCounts): string {
  return `Nothing to do in ${counted(upToDate, 'schema')}`;
}

function migrations(versions: readonly Version[]): string {
  return counted(versions.length, 'migration');
}

function listed(versions: readonly Version[]): string {
  return versions.length <= 5 ? versions.join(', ') : `${versions.slice(0, 3).join(', ')}, …, ${versions.at(-1)}`;
}
