/** The walk of test/support/release-walk.ts on a real server: one round, another one each time. LOCKSTEP_SEED=<number> walks the same way again. */
import { expect } from 'chai';

import { groundIn } from '../support/release-ground.ts';
import { IMAGES, ReleaseWalk } from '../support/release-walk.ts';
import { useWorkspace } from '../support/workspace.ts';

const SEED = Number(process.env['LOCKSTEP_SEED'] ?? Date.now() % 1_000_000);
const ACTS = 40;

describe('a walk of releases and rollbacks', () => {
  const workspace = useWorkspace();

  it(`seed ${SEED}, ${ACTS} acts: what was rolled back is applied again only by a later release of that name, or by a person`, async () => {
    const walk = new ReleaseWalk(await groundIn(workspace(), IMAGES), SEED);
    await walk.walk(ACTS);
    expect(walk.story).to.have.length.greaterThan(ACTS / 2);
  });
});
