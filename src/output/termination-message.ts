/**
 * The termination message: one small JSON object about the end of a run, as in docs/schemas/termination.schema.json.
 */
import { briefError, type BriefError } from '../core/brief-error.ts';
import type { ErrorCode, MigratorError } from '../core/errors.ts';
import type { Version } from '../core/migration.ts';
import { cutBytes, oneLine } from '../core/text/one-line.ts';
import type { Outcome } from '../core/outcome.ts';
import type { CommandName } from '../core/runner.ts';
import type { TenantCounts } from '../core/tenants/report.ts';

/** The kubelet's limit for a container's message. */
export const MAX_MESSAGE_BYTES = 4096;

export interface Ending {
  /** Unknown if the command line is invalid. */
  readonly command?: CommandName | undefined;
  /** Of a fleet. */
  readonly target?: string | undefined;
  readonly outcome?: Pick<Outcome, 'done' | 'pending' | 'dryRun'> | undefined;
  /** Of a run over many schemas. */
  readonly schemas?: { readonly counts: TenantCounts; readonly dryRun: boolean } | undefined;
  readonly error?: MigratorError | undefined;
  readonly durationMs: number;
}

/** The counts are complete; the lists may be cut. */
interface TerminationMessage {
  readonly exit: number;
  readonly code?: ErrorCode;
  readonly command?: CommandName;
  readonly target?: string;
  readonly dryRun?: true;
  readonly summary?: string;
  readonly problems?: readonly string[];
  readonly next?: string;
  readonly failed?: {
    readonly version?: Version;
    readonly file?: string;
    readonly line?: number;
    readonly sqlstate?: string;
    readonly message?: string;
  };
  readonly holder?: {
    readonly pid: number;
    readonly applicationName: string;
    readonly since?: string;
    readonly doing?: string;
  };
  readonly schemas?: TenantCounts;
  readonly appliedCount?: number;
  readonly applied?: readonly Version[];
  readonly rolledBackCount?: number;
  readonly rolledBack?: readonly Version[];
  readonly pendingCount?: number;
  readonly pending?: readonly Version[];
  readonly durationMs: number;
}

interface Room {
  /** Items of each list. */
  readonly items: number;
  /** Bytes of each text. */
  readonly bytes: number;
}

/** Always fits, even if JSON's escapes make the texts longer. */
const SMALLEST: Room = { items: 0, bytes: 100 };
/** From generous to frugal. */
const ROOMS: readonly Room[] = [
  { items: 100, bytes: 1000 },
  { items: 20, bytes: 500 },
  { items: 5, bytes: 300 },
  { items: 2, bytes: 120 },
];

/** One line of JSON, at most 4096 bytes. */
export function terminationMessage(ending: Ending): string {
  for (const room of ROOMS) {
    const text = JSON.stringify(messageFor(ending, room));
    if (Buffer.byteLength(text) <= MAX_MESSAGE_BYTES) return text;
  }
  return JSON.stringify(messageFor(ending, SMALLEST));
}

/** Nothing was changed, and nothing was to be. */
export function isDryRun({ outcome, schemas }: Pick<Ending, 'outcome' | 'schemas'>): boolean {
  return (outcome ?? schemas)?.dryRun === true;
}

/** Whether the run has changed anything. */
export function isChange({ outcome, schemas }: Pick<Ending, 'outcome' | 'schemas'>): boolean {
  return (outcome?.done.length ?? schemas?.counts.done ?? 0) > 0;
}

function messageFor({ command, target, outcome, schemas, error, durationMs }: Ending, room: Room): TerminationMessage {
  return {
    exit: error?.exit ?? 0,
    ...(error && { code: error.code }),
    ...(command !== undefined && { command }),
    ...(target !== undefined && { target: cutBytes(target, room.bytes) }),
    ...(isDryRun({ outcome, schemas }) && { dryRun: true }),
    ...(error && errorPart(error, room)),
    ...(outcome && outcomePart(outcome, room)),
    ...(schemas && { schemas: schemas.counts }),
    durationMs: Math.round(durationMs),
  };
}

function errorPart(error: MigratorError, { items, bytes }: Room): Partial<TerminationMessage> {
  const brief = briefError(error);
  const failed = failedPart(brief, error, bytes);
  const { holder } = error.details;
  const problems = error.details.server ? [] : brief.why.slice(0, items);
  return {
    summary: cutBytes(brief.summary, bytes),
    ...(problems.length > 0 && { problems: problems.map((problem) => cutBytes(problem, bytes)) }),
    ...(brief.next !== undefined && { next: cutBytes(brief.next, bytes) }),
    ...(failed && { failed }),
    ...(holder && {
      holder: {
        pid: holder.pid,
        applicationName: cutBytes(oneLine(holder.applicationName), bytes),
        ...(holder.since && { since: holder.since.toISOString() }),
        ...(holder.doing !== undefined && { doing: cutBytes(oneLine(holder.doing), bytes) }),
      },
    }),
  };
}

function failedPart(
  { version, file, line, sqlstate, why }: BriefError,
  { details }: MigratorError,
  bytes: number,
): TerminationMessage['failed'] {
  const message = details.server ? why[0] : details.recorded?.error;
  if (version === undefined && file === undefined && sqlstate === undefined) return undefined;
  return {
    ...(version !== undefined && { version: cutBytes(version, bytes) }),
    ...(file !== undefined && { file: cutBytes(file, bytes) }),
    ...(line !== undefined && { line }),
    ...(sqlstate !== undefined && { sqlstate }),
    ...(message !== undefined && { message: cutBytes(oneLine(message), bytes) }),
  };
}

function outcomePart(
  { done, pending }: Pick<Outcome, 'done' | 'pending'>,
  { items, bytes }: Room,
): Partial<TerminationMessage> {
  const list = (versions: readonly Version[]): Version[] =>
    versions.slice(0, items).map((version) => cutBytes(version, bytes));
  const applied = done.filter(({ direction }) => direction === 'up').map(({ version }) => version);
  const rolledBack = done.filter(({ direction }) => direction === 'down').map(({ version }) => version);
  return {
    appliedCount: applied.length,
    applied: list(applied),
    ...(rolledBack.length > 0 && { rolledBackCount: rolledBack.length, rolledBack: list(rolledBack) }),
    pendingCount: pending.length,
    pending: list(pending),
  };
}
