/** `up` and `down`, from Config to answer. */
import { createFileSource } from '../adapters/files/source.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { DownConfig, UpConfig } from '../config/config.ts';
import type { Outcome } from '../core/outcome.ts';
import { isPodRelease } from '../core/pause.ts';
import type { MigrationSource } from '../core/ports.ts';
import { migrate } from '../engine/migrate.ts';
import { outcomeDocument } from '../output/documents.ts';
import { formatDryRun } from '../output/reports.ts';
import { openPorts, type Wiring } from './wiring.ts';
import type { Answer, World } from './world.ts';

export async function migrateAnswer(config: UpConfig | DownConfig, world: World, wiring: Wiring): Promise<Answer> {
  const source = createFileSource(config.files);
  const ports = await openPorts(config, world, wiring);
  const outcome = await migrate(
    {
      request:
        config.command === 'up'
          ? { direction: 'up', target: config.target }
          : { direction: 'down', target: config.target },
      runner: ports.runner,
      strict: config.files.strict,
      dryRun: config.dryRun,
      pausesAfterFailure: config.command === 'up' && !config.retryNow && !world.terminal && isPodRelease(config.identity.release),
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
    document: outcomeDocument(outcome),
    text: outcome.dryRun ? await dryRunText(outcome, source) : undefined,
  };
}

async function dryRunText({ command, notRun }: Outcome, source: MigrationSource): Promise<string> {
  const { migrations } = await source.read();
  const direction = command === 'down' ? 'down' : 'up';
  return formatDryRun(
    notRun.map((version) => ({
      version,
      direction,
      sql: migrations.find((migration) => migration.version === version)?.[direction]?.text,
    })),
  );
}
