/** Runs the walk of test/support/release-walk.ts in memory, for many rounds in little time. */
import { expect } from 'chai';

import { toMigratorError } from '../../src/core/errors.ts';
import { repair } from '../../src/engine/commands/repair.ts';
import { FakeClock } from '../support/fakes/clock.ts';
import { FakeDatabase } from '../support/fakes/database.ts';
import { fakeParser, source } from '../support/fakes/files.ts';
import { FakeRun, runner } from '../support/fakes/run.ts';
import { FakeServer } from '../support/fakes/server.ts';
import { Recorder } from '../support/recorder.ts';
import { ReleaseWalk, type Ended, type Ground } from '../support/release-walk.ts';

const ROUNDS = 60;
const ACTS = 60;

function inMemory(): Ground {
  const clock = new FakeClock();
  const server = new FakeServer({ now: () => clock.now() });
  const ended = (work: Promise<unknown>): Promise<Ended> =>
    work.then(
      () => ({ exit: 0, summary: '' }),
      (error: unknown) => ({ exit: toMigratorError(error).exit, summary: toMigratorError(error).summary }),
    );
  const run = (files: Parameters<typeof source>[0], release: string | undefined): FakeRun =>
    new FakeRun({ server, clock, files, ...(release !== undefined && { release }) });
  return {
    up: ({ files }, release, reapply) => ended(run(files, release).up({}, undefined, reapply)),
    down: ({ files }, release, { to, hold }) =>
      ended(run(files, release).down({ kind: 'version', version: to }, {}, { hold, choice: 'stored' })),
    repair: ({ files }, only) =>
      ended(
        repair(
          {
            runner: runner('repair'),
            connectWaitMs: 0,
            lockWaitMs: 0,
            signal: new AbortController().signal,
            wish: { only },
            dryRun: false,
          },
          {
            database: new FakeDatabase(server),
            source: source(files),
            clock,
            reporter: new Recorder(),
            parser: fakeParser,
          },
        ),
      ),
    applied: () => Promise.resolve([...(server.contents.history?.keys() ?? [])].sort()),
  };
}

describe('a walk of releases and rollbacks, in memory', () => {
  it(`${ROUNDS} rounds of ${ACTS} acts: only a later release of the same name, or a user, applies a rolled back version again`, async () => {
    const tally = new Map<string, number>();
    for (let seed = 1; seed <= ROUNDS; seed += 1) {
      const walk = new ReleaseWalk(inMemory(), seed);
      await walk.walk(ACTS).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      });
      for (const [act, times] of walk.tally) tally.set(act, (tally.get(act) ?? 0) + times);
    }
    expect([...tally.keys()], 'everything happens').to.include.members([
      'up applies',
      'up skips',
      'up ends 22',
      'up ends 40',
      'down holds',
      'down holds nothing',
      'repair all',
      'repair one',
    ]);
  });
});
