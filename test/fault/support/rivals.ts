/** Two more runners of the same release, which wait behind the victim or replace it. */
import { runMigrations, type MigratorError } from '../../../src/index.ts';
import { startCli, type CliProcess } from '../../support/cli.ts';
import { Recorder } from '../../support/recorder.ts';
import type { Workspace } from '../../support/workspace.ts';
import { expectDocumented } from './aftermath.ts';

/** `library`: the same engine and adapters in the test's own process, which is cheaper. */
export type RivalKind = 'processes' | 'library' | 'none';

export interface Rivals {
  /** Starts them if they are not running yet. */
  start(): void;
  /** Starts them, and resolves when both wait for the lock. */
  queue(): Promise<void>;
  /** Resolves when both have succeeded. */
  ended(): Promise<void>;
}

interface Rival {
  readonly waits: () => Promise<unknown>;
  readonly ended: Promise<void>;
}

const NAMES = ['rival 1', 'rival 2'];

export function rivalsOf(workspace: Workspace, kind: RivalKind): Rivals {
  const start = kind === 'processes' ? asProcess : inLibrary;
  let rivals: Rival[] | undefined;
  const started = (): Rival[] => (rivals ??= kind === 'none' ? [] : NAMES.map((name) => start(workspace, name)));
  return {
    start: () => void started(),
    queue: async () => {
      await Promise.all(started().map((rival) => rival.waits()));
    },
    ended: async () => {
      await Promise.all(started().map((rival) => rival.ended));
    },
  };
}

function asProcess(workspace: Workspace, name: string): Rival {
  const run: CliProcess = startCli(['up'], { env: { ...workspace.env, LOCKSTEP_POD: name } });
  const ended = run.exited.then((result) => {
    expectDocumented(name, result, [0]);
  });
  ended.catch(() => undefined);
  return { waits: () => run.waitForLog('lock.waiting'), ended };
}

function inLibrary({ url: connectionString, lockKey, dir }: Workspace, name: string): Rival {
  const reporter = new Recorder();
  const ended = runMigrations({ connectionString, lockKey, dir, direction: 'up', runnerName: name, reporter }).then(
    () => undefined,
    (error: unknown) => {
      const { code, summary, details } = error as MigratorError;
      throw new Error(`${name} ended with ${code}: ${summary} ${JSON.stringify(details.server ?? {})}`, {
        cause: error,
      });
    },
  );
  ended.catch(() => undefined);
  return { waits: () => reporter.next('lock.waiting'), ended };
}
