/** What `fleet status` prints: a table for people, and the document of --json. */
import type { ErrorCode, MigratorError } from '../core/errors.ts';
import { missingVersions, problemOf, sqlstateOf, type TargetReport } from '../core/fleet.ts';
import type { Version } from '../core/migration.ts';
import { publicWordsOf } from '../core/brief-error.ts';
import { describeHolder } from '../core/runner.ts';
import { errorBody, holderBody, type ErrorBody, type HolderBody } from './bodies.ts';
import { table } from './reports.ts';
import { counted } from './words.ts';

export interface FleetDocument {
  readonly command: 'fleet';
  readonly exit: number;
  readonly upToDate: boolean;
  readonly targets: readonly TargetBody[];
  readonly error?: ErrorBody;
}

export interface TargetBody {
  readonly target: string;
  readonly upToDate: boolean;
  /** The newest applied one. */
  readonly version?: Version;
  readonly pending?: readonly Version[];
  readonly held?: readonly Version[];
  readonly inPart?: readonly Version[];
  readonly failed?: {
    readonly version?: Version;
    readonly code?: ErrorCode;
    readonly sqlstate?: string;
    readonly message?: string;
    readonly at: string;
  };
  readonly holder?: HolderBody;
  /** Why it could not be read, or why a run would refuse what is pending. */
  readonly error?: ErrorBody;
}

export function fleetDocument(reports: readonly TargetReport[], error?: MigratorError): FleetDocument {
  return {
    command: 'fleet',
    exit: error?.exit ?? 0,
    upToDate: !error,
    targets: reports.map(targetBody),
    ...(error && { error: errorBody(error) }),
  };
}

export function targetBody(report: TargetReport): TargetBody {
  const { target, seen, error } = report;
  const upToDate = problemOf(report) === undefined;
  if (!seen) return { target, upToDate, ...(error && { error: errorBody(error) }) };
  const { rows, failed, holder } = seen;
  const version = newest(report);
  const inState = (state: string): Version[] => rows.filter((row) => row.state === state).map((row) => row.version);
  const sqlstate = failed && sqlstateOf(failed);
  return {
    target,
    upToDate,
    ...(version !== undefined && { version }),
    pending: rows.filter(({ state }) => state === 'pending' || state === 'out of order').map(({ version: one }) => one),
    held: inState('held'),
    inPart: inState('in part'),
    ...(failed && {
      failed: {
        ...(failed.version !== undefined && { version: failed.version }),
        ...(failed.code !== undefined && { code: failed.code }),
        ...(sqlstate !== undefined && { sqlstate }),
        ...(failed.error !== undefined && { message: failed.error }),
        at: failed.at.toISOString(),
      },
    }),
    ...(holder && { holder: holderBody(holder) }),
    ...(error && { error: errorBody(error) }),
  };
}

function newest({ seen }: TargetReport): Version | undefined {
  return seen?.rows.findLast(({ state }) => ['applied', 'changed', 'unknown'].includes(state))?.version;
}

export function formatFleet(reports: readonly TargetReport[], columns = Infinity, noun = 'target'): string {
  const head = [noun.toUpperCase(), 'VERSION', 'PENDING', 'HELD', 'FAILED', 'AT WORK'];
  return [...table(head, reports.map(cells), columns), '', summaryOf(reports, noun)].join('\n');
}

function cells(report: TargetReport): string[] {
  const { target, seen, error } = report;
  if (!seen) return [target, '', '', '', error ? errorCell(error) : '', ''];
  const { rows, failed, holder } = seen;
  const held = rows.filter(({ state }) => state === 'held').length;
  const pending = missingVersions(rows).length - held;
  const past = failed ? [failed.version, failed.code, sqlstateOf(failed)] : [];
  const failure = error ? [error.code, ...(error.details.problems ?? [error.summary])] : past;
  return [
    target,
    newest(report) ?? '',
    pending === 0 ? '' : String(pending),
    held === 0 ? '' : String(held),
    failure.filter((part) => part !== undefined).join(' '),
    holder ? describeHolder(holder) : '',
  ];
}

function errorCell(error: MigratorError): string {
  const { summary, message } = publicWordsOf(error);
  const sqlstate = error.details.server?.sqlstate;
  return [error.code, ...(sqlstate === undefined ? [] : [sqlstate]), message ?? summary].join(' ');
}

/** `5 targets: 3 up to date, 1 MIGRATION_FAILED, 1 PENDING`. */
function summaryOf(reports: readonly TargetReport[], noun: string): string {
  const counts = new Map<string, number>();
  for (const report of reports) {
    const state = problemOf(report) ?? 'up to date';
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const parts = [...counts].toSorted(([a], [b]) => Number(b === 'up to date') - Number(a === 'up to date'));
  return `${counted(reports.length, noun)}: ${parts.map(([state, count]) => `${count} ${state}`).join(', ')}`;
}
