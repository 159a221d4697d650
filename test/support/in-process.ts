/**
 * Runs the command line and the engine in this process: hundreds of runs in seconds, and a clock that can run faster.
 */
import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';

import { systemClock } from '../../src/adapters/clock/system-clock.ts';
import { createFileSource } from '../../src/adapters/files/source.ts';
import { PostgresDatabase } from '../../src/adapters/postgres/database.ts';
import { DedicatedConnections } from '../../src/adapters/postgres/connection/dedicated.ts';
import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { reportEarlyFailure, runCommand } from '../../src/app/run-command.ts';
import { readPartialSettings } from '../../src/cli/partial-settings.ts';
import { parseArguments } from '../../src/cli/arguments.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { toMigratorError } from '../../src/core/errors.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import type { Clock, HookRunner, Limits, Reporter } from '../../src/core/ports.ts';
import { migrate } from '../../src/engine/migrate/migrate.ts';
import type { Workspace } from './workspace.ts';

export interface InProcessResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface InProcessOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Treats stderr as a terminal. */
  readonly terminal?: boolean;
}

/** Does the same as src/main.ts with these arguments. */
export async function runInProcess(
  args: readonly string[],
  { env, terminal = false }: InProcessOptions,
): Promise<InProcessResult> {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const signal = new AbortController().signal;
  const world = { env, home: undefined, hostname: 'in-process', stdout, stderr, terminal, signal };
  const run = async (): Promise<number> => {
    const parsed = parseArguments(args);
    if (!('command' in parsed)) return 0;
    return await runCommand(parseConfig(parsed, env, { terminal }), world);
  };
  const code = await run().catch((cause: unknown) =>
    reportEarlyFailure(toMigratorError(cause), world, readPartialSettings(args, env, { terminal })),
  );
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Sink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

interface EngineOptions {
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly limits?: Partial<Limits>;
}

/** Runs the engine's `up` on a real session of the workspace. */
export async function upByEngine(
  { url, dir, lockKey }: Workspace,
  { clock, reporter, limits }: EngineOptions,
): Promise<Outcome> {
  const { connect } = new DedicatedConnections({ databaseUrl: url, env: {} }, undefined);
  const place = { connect, second: connect, allowPooler: false, role: undefined };
  return await migrate(
    {
      request: { direction: 'up', target: { kind: 'latest' } },
      runner: { run: randomUUID(), command: 'up', productVersion: '0', name: 'engine' },
      strict: false,
      dryRun: false,
      pausesAfterFailure: false,
      connectWaitMs: 10_000,
      lockWaitMs: 0,
      limits: { lockTimeoutMs: 5_000, statementTimeoutMs: 0, ...limits },
      hookTimeoutMs: 1_000,
      journalKeepMs: 0,
      cancelBlockedWaiters: true,
      signal: new AbortController().signal,
    },
    {
      clock,
      reporter,
      parser: createSqlParser(),
      source: createFileSource({ dir, allowEmpty: false }),
      database: new PostgresDatabase({
        ...place,
        table: { name: 'schema_migrations' },
        lockKey: BigInt(lockKey),
        reporter,
      }),
      hooks: NO_HOOKS,
    },
  );
}

const NO_HOOKS: HookRunner = { has: () => false, run: () => Promise.resolve() };

/** Everything except the server runs this many times faster. */
export function hurried(factor: number): Clock {
  const startedAt = systemClock.now();
  return {
    now: () => startedAt + (systemClock.now() - startedAt) * factor,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
    // Connecting runs at its own speed.
    deadline: (ms) => systemClock.deadline(ms),
    random: () => systemClock.random(),
  };
}
