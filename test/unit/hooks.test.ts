/** When a hook's abort signal fires; test/command/hooks.test.ts tests hooks that use the database. */
import { expect } from 'chai';
import pg from 'pg';

import type { ConnectingOptions } from '../../src/adapters/postgres/hooks/hook-connector.ts';
import { hookConnections } from '../../src/adapters/postgres/hooks/hook-pool.ts';
import { ThreadHooks, WorkerHooks } from '../../src/adapters/postgres/hooks/hooks.ts';
import type { Hook } from '../../src/adapters/postgres/hooks/hook-context.ts';
import { MigratorError } from '../../src/core/errors.ts';
import { migration } from '../support/fakes/files.ts';
import { failure } from '../support/fakes/run.ts';
import { Recorder } from '../support/recorder.ts';

const FILE = migration('001_a');
const SIGTERM = new MigratorError('INTERRUPTED', 'SIGTERM');

describe('a hook in its own thread', () => {
  it('is not started when the run is aborted while the thread is created', async () => {
    const stop = new AbortController();
    const hooks = new WorkerHooks({
      target: () => {
        throw new Error('it was started');
      },
      reporter: new Recorder(),
      written: () => Promise.resolve(),
      workerUrl: new URL(import.meta.url),
      connectWaitMs: 0,
      memory: () => 2 ** 26,
    });
    const running = failure(hooks.run(FILE, { timeoutMs: 60_000, signal: stop.signal }));
    // The module that creates the thread is being loaded.
    stop.abort(SIGTERM);
    expect(await running).to.equal(SIGTERM);
  });
});

describe("a hook in the caller's thread", () => {
  const run = async (hook: Hook, signal: AbortSignal, timeoutMs = 60_000): Promise<void> => {
    // No connection is opened.
    const options = {
      connections: (how: ConnectingOptions) => hookConnections(new pg.Pool(), how),
      reporter: new Recorder(),
      connectWaitMs: 0,
    };
    await new ThreadHooks({ '001_a': hook }, options).run(FILE, { timeoutMs, signal });
  };

  /** Runs until its signal aborts. */
  const endless: Hook = ({ signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });

  it('gets an aborted signal when the run is aborted, and the run fails with that reason', async () => {
    const stop = new AbortController();
    const running = failure(run(endless, stop.signal));
    stop.abort(SIGTERM);
    expect(await running).to.equal(SIGTERM);
  });

  it('gets an aborted signal at once when the run was aborted before it started', async () => {
    expect(await failure(run(endless, AbortSignal.abort(SIGTERM)))).to.equal(SIGTERM);
  });

  it('gets an aborted signal when its timeout expires', async () => {
    const error = await failure<MigratorError>(run(endless, new AbortController().signal, 1));
    expect(error).to.include({ code: 'HOOK_FAILED', exit: 35 });
    expect(error.summary).to.include('--hook-timeout');
  });

  it('gets no aborted signal after it ends', async () => {
    const stop = new AbortController();
    let received: AbortSignal | undefined;
    await run(async ({ signal }) => {
      received = signal;
      await Promise.resolve();
    }, stop.signal);
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    stop.abort(SIGTERM);
    expect(received?.aborted).to.equal(false);
    expect(timers(), 'timers that would keep the process').to.equal(before);
  });
});
