/**
 * Runners start and end at random against one server, with random faults at random messages: in every order,
 * each file is applied once, each run reports its true result, and no session or lock is left behind.
 * LOCKSTEP_SEED=<number> repeats the same decisions (the server may react differently),
 * LOCKSTEP_WALK_ROUND=<number> starts with that round, LOCKSTEP_WALK_SECONDS=<number> sets the duration.
 */
import { expect } from 'chai';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { ownServer } from '../support/server.ts';
import { record } from './support/trial.ts';
import { NAMES, nameOf, planRound } from './support/walk-plan.ts';
import { walkRound } from './support/walk-round.ts';
import { WalkTally } from './support/walk-tally.ts';
import { WALKED_FILES } from './support/walked-files.ts';

const SEED = Number(process.env['LOCKSTEP_SEED'] ?? Date.now() % 1_000_000);
const FIRST_ROUND = Number(process.env['LOCKSTEP_WALK_ROUND'] ?? 1);
const SECONDS = Number(process.env['LOCKSTEP_WALK_SECONDS'] ?? 60);

describe('a random walk', function () {
  // The last round runs to its end.
  this.timeout((SECONDS + 240) * 1000);
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });

  it('makes the same decisions with the same seed, and covers every act over time', () => {
    const rounds = Array.from({ length: 50 }, (_, index) => planRound(SEED, index));
    expect(rounds.map(({ round }) => planRound(SEED, round))).to.deep.equal(rounds);
    expect(planRound(SEED + 1, 0)).to.not.deep.equal(rounds[0]);
    expect(new Set(rounds.flatMap(({ decisions }) => decisions.map(({ act }) => nameOf(act))))).to.have.all.keys([
      ...NAMES,
    ]);
  });

  it(`applies each file once in rounds over ${SECONDS} s`, async () => {
    console.log(`      seed ${SEED} (LOCKSTEP_SEED)`);
    const { state } = await record(server.url, WALKED_FILES);
    const tally = new WalkTally();
    const startedAt = performance.now();
    try {
      for (let round = FIRST_ROUND; performance.now() - startedAt < SECONDS * 1000; round += 1) {
        await walkRound(planRound(SEED, round), { server, state, tally });
        tally.round();
      }
    } catch (error) {
      throw new Error(`LOCKSTEP_SEED=${SEED}, ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    } finally {
      console.log(tally.describe().replaceAll(/^/gm, '      '));
    }
    expect(tally.struckKinds, 'what happened to anybody').to.include.members(['come', 'SIGKILL', 'SIGTERM']);
  });
});
