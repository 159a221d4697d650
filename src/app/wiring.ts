/** Builds the ports of a command from the adapters. */
import { systemClock } from '../adapters/clock/system-clock.ts';
import type { AddressInput } from '../adapters/postgres/address/address.ts';
import type { ConnectionSettings } from '../adapters/postgres/address/connection-settings.ts';
import { PostgresDatabase, type DatabaseOptions } from '../adapters/postgres/database.ts';
import { DedicatedConnections, readAddress } from '../adapters/postgres/connection/dedicated.ts';
import { WorkerHooks } from '../adapters/postgres/hooks/hooks.ts';
import type { Config, ConnectionConfig, ConvertConfig, ProveConfig } from '../config/config.ts';
import type { AddressSettings } from '../config/settings.ts';
import { MigratorError, toMigratorError } from '../core/errors.ts';
import type { Reporter } from '../core/ports.ts';
import type { RunnerIdentity } from '../core/runner.ts';
import type { ConnectPorts } from '../engine/session/connect.ts';
import type { ProcessContext } from './process-context.ts';

export type DatabaseConfig = Exclude<Config, { readonly command: 'create' | 'validate' | 'prove' } | ConvertConfig>;

export interface Wiring {
  readonly runner: RunnerIdentity;
  readonly reporter: Reporter;
  /** Resolves when every reported event is in the log. */
  readonly written: () => Promise<void>;
}

export interface DatabasePorts extends ConnectPorts {
  readonly runner: RunnerIdentity;
  readonly hooks: WorkerHooks;
}

export function openPorts(config: DatabaseConfig, context: ProcessContext, wiring: Wiring): DatabasePorts {
  const { options, hookTarget, hooksAt, ...ports } = openParts(config, context, wiring);
  return { ...ports, database: new PostgresDatabase(options), hooks: hooksAt(hookTarget) };
}

/** A hook's own connections. */
type HookTarget = DedicatedConnections['hookTarget'];

interface Parts extends Pick<DatabasePorts, 'runner' | 'clock' | 'reporter'> {
  readonly options: DatabaseOptions;
  readonly hookTarget: HookTarget;
  readonly hooksAt: (target: HookTarget) => WorkerHooks;
}

/** Reads the address once now, to report its problems; it is read again at each attempt to connect. */
export function openParts(
  config: DatabaseConfig,
  context: ProcessContext,
  { runner, reporter, written }: Wiring,
): Parts {
  const { table, lockKey, role, allowPooler, connectWaitMs } = config.connection;
  const input = addressInput(config.connection, context);
  const { connect, secretChanged, hookTarget } = new DedicatedConnections(input, role);
  addressNow(input);
  return {
    runner: config.identity.pod === undefined ? runnerNamed(runner, input) : runner,
    clock: systemClock,
    reporter,
    options: { connect, second: connect, secretChanged, allowPooler, table, lockKey, role, reporter },
    hookTarget,
    hooksAt: (target) =>
      new WorkerHooks({
        target,
        reporter,
        written,
        workerUrl: HOOK_WORKER,
        connectWaitMs,
        memory: () => hookMemory(config, context),
      }),
  };
}

/** In the bundle it is beside this file; in the sources, in the adapter's folder. */
export const HOOK_WORKER = new URL(
  import.meta.url.endsWith('.ts') ? '../adapters/postgres/hooks/hook-worker.ts' : './hook-worker.mjs',
  import.meta.url,
);

/** The default without a container's memory limit. */
const HOOK_MEMORY = 512 * 2 ** 20;

/** In bytes. By default half of the container's limit, which leaves the other half for the run. */
export function hookMemory(config: DatabaseConfig | ProveConfig, { memoryLimit }: ProcessContext): number {
  const limit = memoryLimit?.();
  return (
    ('hookMemory' in config ? config.hookMemory : undefined) ??
    (limit === undefined ? HOOK_MEMORY : Math.floor(limit / 2))
  );
}

function addressInput(
  { databaseUrl, databaseUrlFile, passwordFile, passwordCommand }: ConnectionConfig,
  { env, home }: ProcessContext,
): AddressInput {
  return { databaseUrl, databaseUrlFile, env, home, passwordFile, passwordCommand };
}

/** Without a pod name, the runner's name is the application_name in the address, if it has one. */
function runnerNamed(runner: RunnerIdentity, input: AddressInput): RunnerIdentity {
  const nameNow = (): string | undefined => addressNow(input)?.runnerName;
  const name = nameNow();
  if (name !== undefined) return { ...runner, name };
  if (input.databaseUrlFile === undefined) return runner;
  // Read at each attempt to connect, because the file may appear later.
  const { command, productVersion, target, release, image } = runner;
  return {
    get run() {
      return runner.run;
    },
    command,
    productVersion,
    target,
    release,
    image,
    get name() {
      return nameNow() ?? runner.name;
    },
  };
}

/** Undefined while the address file does not exist. @throws MigratorError CONFIG_INVALID with every problem. */
function addressNow(input: AddressInput): ConnectionSettings | undefined {
  try {
    return readAddress(input);
  } catch (error) {
    if (error instanceof MigratorError && error.details.awaitsSecret === true) return undefined;
    throw error;
  }
}

/** Every problem of the address, including an unreadable file, without connecting. */
export function addressProblems(
  { databaseUrl, databaseUrlFile }: AddressSettings,
  { env, home }: Pick<ProcessContext, 'env' | 'home'>,
): readonly string[] {
  try {
    readAddress({ databaseUrl, databaseUrlFile, env, home });
    return [];
  } catch (error) {
    const { summary, details } = toMigratorError(error);
    return details.problems ?? [summary];
  }
}
