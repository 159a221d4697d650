import { expect } from 'chai';

import { MUTANTS } from '../support/mutants.ts';
import { misfits } from '../support/mutation.ts';

describe('the mutants', () => {
  it('still match the source', async () => {
    expect(await misfits(MUTANTS.flatMap(({ replacements }) => replacements))).to.deep.equal([]);
  });
});
