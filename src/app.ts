/** Wires the adapters into the engine and runs one command; the only file that knows both sides. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { systemClock } from './adapters/clock/system-clock.ts';
import { createMigration } from './adapters/files/create.ts';
import { createFileSource } from './adapters/files/source.ts';
import { createHumanOutput } from './adapters/logs/human.ts';
import { createLogReporter, type LogReporter } from './adapters/logs/log-reporter.ts';
import { PostgresDatabase } from './adapters/postgres/database.ts';
import type { ConnectionSettings } from './adapters/postgres/connection-settings.ts';
import { DedicatedConnections, readAddress } from './adapters/postgres/dedicated.ts';
import { WorkerHooks } from './adapters/postgres/hooks.ts';
import { createSqlParser } from './adapters/sql-parser/parser.ts';
import type { BaselineConfig, Config, ConnectionConfig, DownConfig, UpConfig, WaitConfig } from './config.ts';
import { MigratorError, toMigratorError } from './core/errors.ts';
import type { Outcome } from './core/outcome.ts';
import type { VersionStatus } from './core/plan.ts';
import type { MigrationSource, Reporter } from './core/ports.ts';
import type { RunnerIdentity } from './core/runner.ts';
import { baseline } from './engine/baseline.ts';
import type { ConnectPorts } from './engine/connect.ts';
import { inspectLock, readJournal, readStatus, type InspectOptions } from './engine/inspect.ts';
import { migrate } from './engine/migrate.ts';
import { validate } from './engine/validate.ts';
import { waitUntilApplied } from './engine/wait.ts';
import * as documents from './output/documents.ts';
import { formatError } from './output/error-text.ts';
import * as reports from './output/reports.ts';
import { VERSION } from './version.ts';

/** What the process gives. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string | undefined;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly terminal: boolean;
  readonly signal: AbortSignal;
}

/** What a command has to say on stdout, and how it ended. */
interface Answer {
  readonly document: documents.JsonDocument;
  /** Undefined when the events have said everything. */
  readonly text?: string | undefined;
  readonly error?: MigratorError | undefined;
}

/** Runs the command, tells its outcome, and resolves with the exit code. */
export async function runCommand(config: Config, world: World): Promise<number> {
  const json = 'json' in config && config.json;
  const runner = identify(config);
  const log = createLogReporter({
    ...config.log,
    destination: world.stderr,
    color: world.terminal,
    identity: runner,
    humanOutput: !json,
  });
  const human = createHumanOutput({ stdout: world.stdout, verbose: 'verbose' in config && config.verbose });
  const reporter: Reporter = {
    report(event) {
      log.report(event);
      if (!json) human.report(event);
    },
  };
  for (const message of config.warnings) reporter.report({ type: 'warning', message });
  const { document, text, error } = await answer(config, world, { runner, reporter }).catch((cause: unknown) => {
    const failure = toMigratorError(cause);
    const { outcome } = failure.details;
    const document = outcome ? documents.outcomeDocument(outcome, failure) : documents.errorDocument(failure, config.command);
    return { document, error: failure, text: undefined };
  });
  if (json) world.stdout.write(documents.formatJson(document));
  else if (text !== undefined) world.stdout.write(`${text}\n`);
  if (error) tellFailure(error, { log, format: config.log.format }, world);
  await log.flush();
  return error?.exit ?? 0;
}

interface Shape {
  readonly json: boolean;
  readonly format: 'text' | 'json';
}

/** Tells a failure that came before there was a Config. Resolves with the exit code. */
export async function reportFailure(error: MigratorError, world: World, { json, format }: Shape): Promise<number> {
  const log = createLogReporter({ format, level: 'info', destination: world.stderr, color: false, humanOutput: true });
  if (json) world.stdout.write(documents.formatJson(documents.errorDocument(error)));
  tellFailure(error, { log, format }, world);
  await log.flush();
  return error.exit;
}

function tellFailure(
  error: MigratorError,
  { log, format }: { readonly log: LogReporter; readonly format: 'text' | 'json' },
  world: World,
): void {
  if (format === 'json') log.fail(error, error.exit);
  else world.stderr.write(`${formatError(error)}\n`);
}

function identify({ command, identity }: Config): RunnerIdentity {
  return { run: randomUUID(), command, productVersion: VERSION, name: identity.pod, release: identity.release, image: identity.image };
}

interface Wiring {
  readonly runner: RunnerIdentity;
  readonly reporter: Reporter;
}

async function answer(config: Config, world: World, wiring: Wiring): Promise<Answer> {
  switch (config.command) {
    case 'create': {
      const files = await createMigration({ dir: config.dir, name: config.name, now: new Date() });
      return { document: documents.createDocument(files), text: files.join('\n') };
    }
    case 'validate': {
      const report = await validate(createFileSource(config.files), createSqlParser(), config.files);
      return { document: documents.validateDocument(report), text: reports.formatValidation(report), error: report.error };
    }
    case 'up':
    case 'down':
      return await migrateAnswer(config, world, wiring);
    case 'baseline':
    case 'wait':
    case 'status':
    case 'history':
    case 'lock':
      return await databaseAnswer(config, world, wiring);
  }
}

type DatabaseConfig = Exclude<Config, { readonly command: 'create' | 'validate' }>;

interface DatabasePorts extends ConnectPorts {
  readonly hooks: WorkerHooks;
}

/** The address is read once now, for its settings and its problems, and again at each attempt to connect. */
async function openPorts(config: DatabaseConfig, world: World, { reporter }: Wiring): Promise<DatabasePorts> {
  const { connection } = config;
  const address = (): Promise<ConnectionSettings> => readSettings(connection, world);
  const { serverSettings } = await address();
  const connections = new DedicatedConnections(address, connection.role);
  const { table, lockKey, role } = connection;
  const { connect, hookTarget } = connections;
  return {
    clock: systemClock,
    reporter,
    database: new PostgresDatabase({ connect, table, lockKey, role, serverSettings, reporter }),
    hooks: new WorkerHooks(hookTarget, reporter, HOOK_WORKER),
  };
}

/** Beside this file in the bundle, beside its sources before. */
const HOOK_WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './adapters/postgres/hook-worker.ts' : './hook-worker.mjs',
  import.meta.url,
);

async function readSettings(connection: ConnectionConfig, { env, home }: World): Promise<ConnectionSettings> {
  const { databaseUrlFile, passwordFile } = connection;
  const databaseUrl = databaseUrlFile === undefined ? connection.databaseUrl : await readSecret(databaseUrlFile);
  return readAddress({ databaseUrl, env, home, passwordFile });
}

async function readSecret(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new MigratorError('CONFIG_INVALID', `--database-url-file: ${file} cannot be read`, {
      cause,
      problems: [cause instanceof Error ? cause.message : String(cause)],
      hint: 'mount the Secret there, or correct the path',
    });
  }
}

async function migrateAnswer(config: UpConfig | DownConfig, world: World, wiring: Wiring): Promise<Answer> {
  const source = createFileSource(config.files);
  const ports = await openPorts(config, world, wiring);
  const outcome = await migrate(
    {
      request:
        config.command === 'up'
          ? { direction: 'up', target: config.target }
          : { direction: 'down', target: config.target },
      runner: wiring.runner,
      strict: config.files.strict,
      dryRun: config.dryRun,
      connectWaitMs: config.connection.connectWaitMs,
      lockWaitMs: config.limits.lockWaitMs,
      limits: config.limits,
      hookTimeoutMs: config.command === 'up' ? config.hookTimeoutMs : 0,
      cancelBlockedWaiters: config.cancelBlockedWaiters,
      signal: world.signal,
    },
    { ...ports, source, parser: createSqlParser() },
  );
  return {
    document: documents.outcomeDocument(outcome),
    text: outcome.dryRun ? await dryRunText(outcome, source) : undefined,
  };
}

async function dryRunText({ command, notRun }: Outcome, source: MigrationSource): Promise<string> {
  const { migrations } = await source.read();
  const direction = command === 'down' ? 'down' : 'up';
  return reports.formatDryRun(
    notRun.map((version) => ({
      version,
      direction,
      sql: migrations.find((migration) => migration.version === version)?.[direction]?.text,
    })),
  );
}

type LookingConfig = Exclude<DatabaseConfig, UpConfig | DownConfig>;

async function databaseAnswer(config: LookingConfig, world: World, wiring: Wiring): Promise<Answer> {
  const ports = await openPorts(config, world, wiring);
  const { connectWaitMs } = config.connection;
  const options: InspectOptions = { runner: wiring.runner, connectWaitMs, signal: world.signal };
  switch (config.command) {
    case 'baseline':
      return await baselineAnswer(config, options, ports);
    case 'wait':
      return await waitAnswer(config, options, ports);
    case 'status': {
      const rows = await readStatus(options, { ...ports, source: createFileSource(config.files) });
      const document = documents.statusDocument(rows);
      const error = config.exitCode && !document.upToDate ? pendingError(rows) : undefined;
      return { document, text: reports.formatStatus(rows), error };
    }
    case 'history': {
      const entries = await readJournal(options, ports);
      return { document: documents.historyDocument(entries), text: reports.formatHistory(entries) };
    }
    case 'lock': {
      const report = await inspectLock({ ...options, terminate: config.terminate }, ports);
      return { document: documents.lockDocument(report), text: reports.formatLock(report) };
    }
  }
}

function pendingError(rows: readonly VersionStatus[]): MigratorError {
  const pending = rows.filter(({ state }) => state === 'pending' || state === 'out of order');
  return new MigratorError('PENDING', `${pending.length} of ${rows.length} migrations are pending`, {
    hint: 'apply them with "lockstep up"',
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
  const done = recorded.map((version) => ({ version, direction: 'up' as const, durationMs: 0 }));
  return { document: documents.outcomeDocument({ ...NOTHING, command: 'baseline', done, skipped, waitedMs, durationMs }) };
}

async function waitAnswer(config: WaitConfig, options: InspectOptions, ports: DatabasePorts): Promise<Answer> {
  const startedAt = systemClock.now();
  const skipped = await waitUntilApplied(
    { ...options, timeoutMs: config.timeoutMs },
    { ...ports, source: createFileSource(config.files) },
  );
  const durationMs = systemClock.now() - startedAt;
  return {
    document: documents.outcomeDocument({ ...NOTHING, command: 'wait', skipped, waitedMs: durationMs, durationMs }),
    text: 'Nothing is pending.',
  };
}

const NOTHING = { done: [], notRun: [], skipped: [], pending: [], warnings: [], dryRun: false, waitedMs: 0 } as const;
