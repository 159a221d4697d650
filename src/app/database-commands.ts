/** Runs the commands that read the database, wait for it, or only record in it: from Config to Answer. */
import { systemClock } from '../adapters/clock/system-clock.ts';
import { createFileSource } from '../adapters/files/source.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type {
  BaselineConfig,
  DownConfig,
  DriftConfig,
  FleetConfig,
  ImportConfig,
  RepairConfig,
  UpConfig,
  WaitConfig,
} from '../config/config.ts';
import { MigratorError } from '../core/errors.ts';
import { describeHeldVersion } from '../core/plan/held-versions.ts';
import { describeInPart, waysOut } from '../core/plan/in-part.ts';
import type { Version } from '../core/migration.ts';
import type { StepResult } from '../core/outcome.ts';
import type { VersionStatus } from '../core/plan/plan.ts';
import { baseline } from '../engine/commands/baseline.ts';
import { importHistory } from '../engine/commands/import.ts';
import { inspectLock, readJournal, readStatus, type InspectOptions } from '../engine/commands/inspect.ts';
import { repair } from '../engine/commands/repair.ts';
import { waitUntilApplied } from '../engine/commands/wait.ts';
import * as documents from '../output/documents.ts';
import * as reports from '../output/reports.ts';
import { openPorts, type DatabaseConfig, type DatabasePorts, type Wiring } from './wiring.ts';
import type { Answer, ProcessContext } from './process-context.ts';

type LookingConfig = Exclude<DatabaseConfig, UpConfig | DownConfig | DriftConfig | FleetConfig>;

export async function databaseAnswer(config: LookingConfig, context: ProcessContext, wiring: Wiring): Promise<Answer> {
  const ports = openPorts(config, context, wiring);
  const { connectWaitMs } = config.connection;
  const options: InspectOptions = { runner: ports.runner, connectWaitMs, signal: context.signal };
  switch (config.command) {
    case 'baseline':
      return await baselineAnswer(config, options, ports);
    case 'import':
      return await importAnswer(config, options, ports);
    case 'repair':
      return await repairAnswer(config, options, ports);
    case 'wait':
      return await waitAnswer(config, options, ports);
    case 'status': {
      const rows = await readStatus(options, {
        ...ports,
        source: createFileSource(config.files),
        parser: createSqlParser(),
      });
      const error =
        config.exitCode && rows.some(({ state }) => documents.isMissing(state)) ? pendingError(rows) : undefined;
      return {
        document: documents.statusDocument(rows, error),
        text: reports.formatStatus(rows, context.screen?.columns()),
        error,
      };
    }
    case 'history': {
      const entries = await readJournal(options, ports);
      return {
        document: documents.historyDocument(entries),
        text: reports.formatHistory(entries, context.screen?.columns()),
      };
    }
    case 'lock': {
      const report = await inspectLock({ ...options, terminate: config.terminate }, ports);
      return { document: documents.lockDocument(report), text: reports.formatLock(report) };
    }
  }
}

function pendingError(rows: readonly VersionStatus[]): MigratorError {
  const missing = rows.filter(({ state }) => documents.isMissing(state));
  const holds = missing.flatMap(({ hold }) => hold ?? []);
  const held = holds.length === 0 ? '' : `, ${holds.length} of them held`;
  const inPart = missing.flatMap((row) => row.inPart ?? []);
  const problems = [...holds.map(describeHeldVersion), ...inPart.map(describeInPart)];
  const hints = [
    ...(missing.some(({ state }) => state !== 'held' && state !== 'in part') ? ['apply them with "lockstep up"'] : []),
    ...(holds.length > 0 ? ['held versions are applied by a new release, or by "lockstep up --reapply VERSION"'] : []),
    ...inPart.map(waysOut),
  ];
  const parts = inPart.length === 0 ? '' : `, ${inPart.length} of them in part`;
  return new MigratorError('PENDING', `${missing.length} of ${rows.length} migrations are pending${held}${parts}`, {
    ...(problems.length > 0 && { problems }),
    hint: hints.join('; '),
  });
}

async function baselineAnswer(config: BaselineConfig, options: InspectOptions, ports: DatabasePorts): Promise<Answer> {
  const startedAt = systemClock.now();
  const { recorded, skipped, waitedMs } = await baseline(
    { ...options, to: config.to, lockWaitMs: config.limits.lockWaitMs },
    { ...ports, source: createFileSource(config.files) },
  );
  const durationMs = systemClock.now() - startedAt;
  ports.reporter.report({ type: 'run.finished', applied: recorded, durationMs });
  return {
    document: documents.outcomeDocument({
      ...NOTHING,
      command: 'baseline',
      done: recordedSteps(recorded),
      skipped,
      waitedMs,
      durationMs,
    }),
  };
}

async function importAnswer(config: ImportConfig, options: InspectOptions, ports: DatabasePorts): Promise<Answer> {
  const { tool, fromTable: from, dryRun, connection, limits } = config;
  const startedAt = systemClock.now();
  const { skipped, pending, warnings, waitedMs, record } = await importHistory(
    { ...options, tool, from, table: connection.table, dryRun, lockWaitMs: limits.lockWaitMs },
    { ...ports, source: createFileSource(config.files) },
  );
  const durationMs = systemClock.now() - startedAt;
  const versions = record.map(({ migration }) => migration.version);
  if (!dryRun) ports.reporter.report({ type: 'run.finished', applied: versions, durationMs });
  const document = dryRun
    ? { done: [], notRun: versions, pending }
    : { done: recordedSteps(versions), notRun: [], pending: pending.filter((version) => !versions.includes(version)) };
  return {
    document: documents.outcomeDocument({
      command: 'import',
      ...document,
      skipped,
      warnings,
      dryRun,
      waitedMs,
      durationMs,
    }),
    text: dryRun ? 'Dry run: nothing was changed.' : undefined,
  };
}

function recordedSteps(versions: readonly Version[]): StepResult[] {
  return versions.map((version) => ({ version, direction: 'up', durationMs: 0 }));
}

async function repairAnswer(config: RepairConfig, options: InspectOptions, ports: DatabasePorts): Promise<Answer> {
  const { wish, dryRun } = config;
  const report = await repair(
    { ...options, wish, dryRun, lockWaitMs: config.limits.lockWaitMs },
    { ...ports, source: createFileSource(config.files), parser: createSqlParser() },
  );
  return { document: documents.repairDocument(report), text: reports.formatRepair(report), error: report.error };
}

async function waitAnswer(config: WaitConfig, options: InspectOptions, ports: DatabasePorts): Promise<Answer> {
  const startedAt = systemClock.now();
  const skipped = await waitUntilApplied(
    { ...options, timeoutMs: config.timeoutMs, failOnFailure: config.failOnFailure },
    { ...ports, source: createFileSource(config.files) },
  );
  const durationMs = systemClock.now() - startedAt;
  return {
    document: documents.outcomeDocument({ ...NOTHING, command: 'wait', skipped, waitedMs: durationMs, durationMs }),
    text: 'Nothing is pending.',
  };
}

const NOTHING = { done: [], notRun: [], skipped: [], pending: [], warnings: [], dryRun: false, waitedMs: 0 } as const;
