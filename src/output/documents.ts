/** The one JSON document that `--json` prints, each with the exit code; docs/schemas/ has a schema of each. */
import type { DriftDocument, ProveDocument } from './catalog-documents.ts';
import type { MigratorError } from '../core/errors.ts';
import type { JournalEntry } from '../core/history.ts';
import type { Direction, Version } from '../core/migration.ts';
import type { HeldVersion } from '../core/plan/held-versions.ts';
import type { DryRunStep, Outcome, StepResult } from '../core/outcome.ts';
import type { VersionState, VersionStatus } from '../core/plan/plan.ts';
import type { ConvertReport, LockReport, RepairReport, ValidateReport } from '../core/reports.ts';
import type { Finding } from '../core/rules/finding.ts';
import type { CommandName } from '../core/runner.ts';
import { errorBody, holderBody, type ErrorBody, type HolderBody } from './bodies.ts';
import type { FleetDocument } from './fleet.ts';
import type { SchemasDocument, TenantsDocument } from './tenants.ts';
import { printableJson } from '../core/text/printable.ts';

/** Replaces a command's own document if there is only an error to report. */
export interface ErrorDocument {
  readonly command?: CommandName;
  readonly exit: number;
  readonly error: ErrorBody;
}

/** Of `up`, `down`, `baseline`, `import --from` and `wait`. */
export interface OutcomeDocument {
  readonly command: Outcome['command'];
  readonly exit: number;
  readonly done: readonly StepResult[];
  readonly notRun: readonly Version[];
  readonly skipped: readonly Version[];
  readonly pending: readonly Version[];
  readonly warnings: readonly string[];
  readonly dryRun: boolean;
  readonly wouldRun?: readonly DryRunStep[];
  readonly waitedMs: number;
  readonly durationMs: number;
  readonly failedVersion?: Version;
  readonly holder?: HolderBody;
  readonly error?: ErrorBody;
}

export interface StatusDocument {
  readonly command: 'status';
  readonly exit: number;
  readonly upToDate: boolean;
  readonly migrations: readonly {
    readonly version: Version;
    readonly state: VersionState;
    readonly appliedAt?: string;
    readonly hold?: HoldBody;
    readonly inPart?: Direction;
    readonly invalidIndexes?: readonly string[];
    /** Only for a version in part. */
    readonly statementsDone?: number;
    readonly startedStatement?: number;
  }[];
}

interface HoldBody {
  readonly at: string;
  readonly by: string;
  readonly release?: string;
  readonly reason?: string;
}

export interface HistoryDocument {
  readonly command: 'history';
  readonly exit: number;
  readonly entries: readonly (Omit<JournalEntry, 'at'> & { readonly at: string })[];
}

export interface LockDocument {
  readonly command: 'lock';
  readonly exit: number;
  readonly key: string;
  readonly holder: HolderBody | null;
  readonly waiters: readonly (HolderBody & { readonly blocked: boolean })[];
  readonly terminated?: boolean;
}

export interface RepairDocument extends Omit<RepairReport, 'error'> {
  readonly command: 'repair';
  readonly exit: number;
}

export interface ValidateDocument {
  readonly command: 'validate';
  readonly exit: number;
  readonly valid: boolean;
  readonly migrations: number;
  readonly findings: readonly Finding[];
}

export interface CreateDocument {
  readonly command: 'create';
  readonly exit: number;
  readonly files: readonly string[];
}

export type JsonDocument =
  | ErrorDocument
  | OutcomeDocument
  | StatusDocument
  | FleetDocument
  | TenantsDocument
  | SchemasDocument
  | HistoryDocument
  | LockDocument
  | RepairDocument
  | DriftDocument
  | ProveDocument
  | ValidateDocument
  | ConvertDocument
  | CreateDocument;

export function outcomeDocument({ command, ...facts }: Outcome, error?: MigratorError): OutcomeDocument {
  return {
    command,
    exit: exitOf(error),
    ...facts,
    ...(error?.details.holder && { holder: holderBody(error.details.holder) }),
    ...(error && { error: errorBody(error) }),
  };
}

export function errorDocument(error: MigratorError, command?: CommandName): ErrorDocument {
  return { ...(command !== undefined && { command }), exit: error.exit, error: errorBody(error) };
}

export function statusDocument(rows: readonly VersionStatus[], error?: MigratorError): StatusDocument {
  const migrations = rows.map(({ version, state, appliedAt, hold, inPart, invalidIndexes }) => ({
    version,
    state,
    ...(appliedAt && { appliedAt: appliedAt.toISOString() }),
    ...(hold && { hold: holdBody(hold) }),
    ...(inPart && {
      inPart: inPart.direction,
      statementsDone: inPart.done.length,
      ...(inPart.started && { startedStatement: inPart.started.statement }),
    }),
    ...(invalidIndexes && { invalidIndexes }),
  }));
  return { command: 'status', exit: exitOf(error), upToDate: !rows.some(({ state }) => isMissing(state)), migrations };
}

/** Whether the state means that the file is not fully applied. */
export function isMissing(state: VersionState): boolean {
  return state === 'pending' || state === 'out of order' || state === 'held' || state === 'in part';
}

function holdBody({ at, by, release, reason }: HeldVersion): HoldBody {
  return {
    at: at.toISOString(),
    by,
    ...(release !== undefined && { release }),
    ...(reason !== undefined && { reason }),
  };
}

export function historyDocument(entries: readonly JournalEntry[]): HistoryDocument {
  return {
    command: 'history',
    exit: 0,
    entries: entries.map((entry) => {
      const {
        id,
        at,
        run,
        event,
        command,
        version,
        direction,
        statement,
        durationMs,
        code,
        error,
        file,
        line,
        sqlstate,
        runner,
        release,
        image,
        checksum,
        hold,
      } = entry;
      const who = { runner, release, image };
      return {
        id,
        at: at.toISOString(),
        run,
        event,
        command,
        version,
        direction,
        statement,
        durationMs,
        code,
        error,
        file,
        line,
        sqlstate,
        ...who,
        checksum,
        hold,
      };
    }),
  };
}

export function lockDocument({ key, holder, waiters, terminated }: LockReport): LockDocument {
  return {
    command: 'lock',
    exit: 0,
    key,
    holder: holder ? holderBody(holder) : null,
    waiters: waiters.map((waiter) => ({ ...holderBody(waiter), blocked: waiter.blocked })),
    ...(terminated !== undefined && { terminated }),
  };
}

export function repairDocument({ error, ...report }: RepairReport): RepairDocument {
  return { command: 'repair', exit: exitOf(error), ...report };
}

export function validateDocument({ migrations, findings, error }: ValidateReport): ValidateDocument {
  return { command: 'validate', exit: exitOf(error), valid: !error, migrations, findings };
}

interface ConvertDocument extends ConvertReport {
  readonly command: 'import';
  readonly exit: number;
}

export function convertDocument(report: ConvertReport): ConvertDocument {
  return { command: 'import', exit: 0, ...report };
}

export function createDocument(files: readonly string[]): CreateDocument {
  return { command: 'create', exit: 0, files };
}

function exitOf(error: MigratorError | undefined): number {
  return error?.exit ?? 0;
}

/** The text for stdout, with a line break at the end. */
export function formatJson(document: JsonDocument): string {
  return `${printableJson(document, 2)}\n`;
}
