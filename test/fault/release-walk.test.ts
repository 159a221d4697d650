/**
 * Runs the walk of test/support/release-walk.ts on a real server, in rounds.
 * LOCKSTEP_SEED=<number> sets the seed of the first round, LOCKSTEP_WALK_SECONDS=<number> the duration.
 */
import { expect } from 'chai';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { groundIn } from '../support/release-ground.ts';
import { IMAGES, ReleaseWalk } from '../support/release-walk.ts';
import { ownServer } from '../support/server.ts';
import { Workspace } from '../support/workspace.ts';

const SEED = Number(process.env['LOCKSTEP_SEED'] ?? Date.now() % 1_000_000);
const SECONDS = Number(process.env['LOCKSTEP_WALK_SECONDS'] ?? 60);
const ACTS = 60;

describe('a random walk of releases and rollbacks', function () {
  // The last round runs to its end.
  this.timeout((SECONDS + 120) * 1000);
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });

  it(`matches its model in rounds over ${SECONDS} s`, async () => {
    const tally = new Map<string, number>();
    const startedAt = performance.now();
    let rounds = 0;
    for (; performance.now() - startedAt < SECONDS * 1000; rounds += 1) {
      const workspace = await Workspace.create(server.url);
      const walk = new ReleaseWalk(await groundIn(workspace, IMAGES), SEED + rounds);
      try {
        await walk.walk(ACTS);
      } catch (error) {
        throw new Error(`LOCKSTEP_SEED=${SEED + rounds}, ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      } finally {
        await workspace.close({ keep: false });
      }
      for (const [act, times] of walk.tally) tally.set(act, (tally.get(act) ?? 0) + times);
    }
    console.log(
      `      ${rounds} rounds of ${ACTS} acts from seed ${SEED}: ${[...tally]
        .map(([act, times]) => `${act} ${times}`)
        .sort()
        .join(', ')}`,
    );
    expect(rounds).to.be.greaterThan(0);
  });
});
