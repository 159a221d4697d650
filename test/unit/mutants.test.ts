import { expect } from 'chai';

import { MUTANTS } from '../support/mutants.ts';
import { misfits } from '../support/mutation.ts';

describe('the mutants', () => {
  it('still break what the source says', async () => {
    expect(await misfits(MUTANTS.flatMap(({ replacements }) => replacements))).to.deep.equal([]);
  });
});
