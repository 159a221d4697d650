import { expect } from 'chai';

import { unknownOnly } from '../../src/core/repair.ts';
import { migrations } from '../support/fakes/files.ts';

describe('repair --only', () => {
  const incomplete = [{ version: '009_gone', direction: 'up', statement: 1, checksum: 'x' } as const];
  const facts = { migrations: migrations('001_a', '002_b'), applied: [{ version: '000_old' }], storedDowns: [], incomplete, holds: [{ version: '010_held', at: new Date(0), by: 'rb-1', releases: [] }] };

  it('takes every version that files, history or journal know', () => {
    for (const version of [undefined, '001_a', '000_old', '009_gone', '010_held']) expect(unknownOnly(facts, version)).to.equal(undefined);
  });

  it('refuses any other, and says which one may be meant', () => {
    expect(unknownOnly(facts, '002_c')).to.include({ code: 'CONFIG_INVALID', hint: 'did you mean 002_b?' });
    expect(unknownOnly(facts, 'something else')?.hint).to.include('lockstep status');
  });
});
