/** `runMigrations`: does what `up` and `down` do. */
import { ThreadHooks } from '../adapters/postgres/hooks/hooks.ts';
import type { Outcome } from '../core/outcome.ts';
import { migrate } from '../engine/migrate/migrate.ts';
import { DEFAULTS, type RunMigrationsOptions } from './options.ts';
import { connectingOf, openPorts, runnerOf } from './ports.ts';
import { readRunOptions } from './read-options.ts';
import { requestOf } from './request.ts';
import { inOptions, outcomeInOptions } from './words.ts';

/**
 * Applies or rolls back migrations under the lock, and resolves when the database is at the target.
 * @throws MigratorError with a `code`; `message` says what failed and why, and `details.outcome` what was done, what
 * failed and what was not run.
 */
export async function runMigrations(options: RunMigrationsOptions): Promise<Outcome> {
  return await inOptions(() => run(options));
}

async function run(options: RunMigrationsOptions): Promise<Outcome> {
  const identity = readRunOptions(options);
  const request = requestOf(options);
  // Without any files toFiles is refused as a rollback, which says more than that there are none.
  const { allowEmpty = options.toFiles === true, hooks = {}, strict = false, dryRun = false } = options;
  const { hookConnections, warnings, ...ports } = openPorts({ ...options, allowEmpty }, identity);
  const connecting = connectingOf(options);
  const outcome = await migrate(
    {
      ...connecting,
      ...limitsOf(options),
      request,
      runner: runnerOf(options, request.direction),
      strict,
      dryRun,
      pausesAfterFailure: false,
    },
    {
      ...ports,
      hooks: new ThreadHooks(hooks, {
        connections: hookConnections,
        reporter: ports.reporter,
        connectWaitMs: connecting.connectWaitMs,
      }),
    },
  );
  return outcomeInOptions({ ...outcome, warnings: [...outcome.warnings, ...warnings] });
}

/** Options that are there but undefined leave the default as it is. */
function limitsOf({
  lockWaitMs = DEFAULTS.lockWaitMs,
  lockTimeoutMs = DEFAULTS.lockTimeoutMs,
  statementTimeoutMs = DEFAULTS.statementTimeoutMs,
  hookTimeoutMs = DEFAULTS.hookTimeoutMs,
  cancelBlockedWaiters = true,
}: RunMigrationsOptions) {
  const { journalKeepMs } = DEFAULTS;
  return {
    lockWaitMs,
    limits: { lockTimeoutMs, statementTimeoutMs },
    hookTimeoutMs,
    journalKeepMs,
    cancelBlockedWaiters,
  };
}
