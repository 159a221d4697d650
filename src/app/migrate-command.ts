/** Runs `up` and `down`: from Config to Answer. */
import { createFileSource, type FileSourceOptions } from '../adapters/files/source.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { DownConfig, UpConfig } from '../config/config.ts';
import { isPodRelease } from '../core/release.ts';
import type { LookBefore } from '../engine/drift/before-up.ts';
import type { RunnerIdentity } from '../core/runner.ts';
import { migrate } from '../engine/migrate/migrate.ts';
import type { MigrateOptions } from '../engine/migrate/run.ts';
import { withoutTarget } from '../engine/commands/no-target.ts';
import type { Request } from '../engine/migrate/request.ts';
import { outcomeDocument } from '../output/documents.ts';
import { formatDryRun } from '../output/dry-run.ts';
import { openPorts, type Wiring } from './wiring.ts';
import type { Answer, ProcessContext } from './process-context.ts';

export async function migrateAnswer(
  config: UpConfig | DownConfig,
  context: ProcessContext,
  wiring: Wiring,
): Promise<Answer> {
  if (config.command === 'down' && !config.target)
    throw await withoutTarget({ runner: wiring.runner, signal: context.signal }, () =>
      openPorts(config, context, wiring),
    );
  const source = createFileSource(filesOf(config));
  const ports = openPorts(config, context, wiring);
  const drift = config.command === 'up' ? await lookBefore(config) : undefined;
  const options = { ...migrateOptions(config, context, ports.runner), drift };
  const outcome = await migrate(options, { ...ports, source, parser: createSqlParser() });
  return {
    document: outcomeDocument(outcome),
    text: outcome.dryRun ? formatDryRun(outcome.wouldRun ?? []) : undefined,
  };
}

async function lookBefore({ drift }: UpConfig): Promise<LookBefore | undefined> {
  if (!drift) return undefined;
  const { readExpected } = await import('./drift-command.ts');
  return { ...(await readExpected(drift)), level: drift.level };
}

/** Of a `down`, only one that has a target. */
export function migrateOptions(
  config: UpConfig | DownConfig,
  context: ProcessContext,
  runner: RunnerIdentity,
): MigrateOptions {
  return {
    request: requestOf(config),
    runner,
    strict: config.files.strict,
    dryRun: config.dryRun,
    pausesAfterFailure:
      config.command === 'up' && !config.retryNow && !context.terminal && isPodRelease(config.identity.release),
    connectWaitMs: config.connection.connectWaitMs,
    lockWaitMs: config.limits.lockWaitMs,
    limits: config.limits,
    hookTimeoutMs: config.command === 'up' ? config.hookTimeoutMs : 0,
    cancelBlockedWaiters: config.cancelBlockedWaiters,
    journalKeepMs: config.journalKeepMs,
    signal: context.signal,
  };
}

function requestOf(config: UpConfig | DownConfig): Request {
  if (config.command === 'up') return { direction: 'up', target: config.target, reapply: config.reapply };
  const { target = { kind: 'files' }, choice, trustStored, hold, reason } = config;
  return { direction: 'down', target, choice, trustStored, hold, reason };
}

/** `--to-files` without files is refused as a rollback (24), which explains more than "no files" (21). */
export function filesOf(config: UpConfig | DownConfig): FileSourceOptions {
  const toFiles = config.command === 'down' && config.target?.kind === 'files';
  return { ...config.files, allowEmpty: config.files.allowEmpty || toFiles };
}
