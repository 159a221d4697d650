/**
 * One round of test/support/release-walk.ts on a real server, a different one each time. LOCKSTEP_SEED=<number> repeats
 * a walk.
 */
import { expect } from 'chai';

import { groundIn } from '../support/release-ground.ts';
import { IMAGES, ReleaseWalk } from '../support/release-walk.ts';
import { useWorkspace } from '../support/workspace.ts';

const SEED = Number(process.env['LOCKSTEP_SEED'] ?? Date.now() % 1_000_000);
const ACTS = 40;

describe('a walk of releases and rollbacks', () => {
  const workspace = useWorkspace();

  it(`seed ${SEED}, ${ACTS} acts: only a later release of that name, or a person, applies a rolled-back version again`, async () => {
    const walk = new ReleaseWalk(await groundIn(workspace(), IMAGES), SEED);
    await walk.walk(ACTS);
    expect(walk.story).to.have.length.greaterThan(ACTS / 2);
  });
});
