import { expect } from 'chai';

import { planRepair, unknownOnly, wrongRename } from '../../src/core/repair.ts';
import { migration, migrations } from '../support/fakes/files.ts';

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

describe('repair --rename', () => {
  const applied = [{ version: '1_a', checksum: migration('1_a', 'one').up.checksum }, { version: '2_b' }, { version: '3_c', checksum: 'x' }];
  const facts = { migrations: [migration('1_new', 'one'), migration('2_new', 'two'), migration('3_c', 'three')], applied, storedDowns: [], incomplete: [], holds: [] };

  it('is what it says, and nothing besides', () => {
    const rename = [{ from: '1_a', to: '1_new' }, { from: '2_b', to: '2_new' }];
    expect(wrongRename(facts, rename)).to.equal(undefined);
    expect(planRepair(facts, { rename }).map((action) => (action.type === 'rename' ? [action.from, action.migration.version] : action.type))).to.deep.equal([['1_a', '1_new'], ['2_b', '2_new']]);
  });

  it('has nothing to do when it was recorded', () => {
    const done = { ...facts, applied: [{ version: '1_new' }] };
    expect(wrongRename(done, [{ from: '1_a', to: '1_new' }])).to.equal(undefined);
    expect(planRepair(done, { rename: [{ from: '1_a', to: '1_new' }] })).to.deep.equal([]);
  });

  const REFUSED: readonly (readonly [from: string, to: string, code: string, words: RegExp])[] = [
    ['1_A', '1_new', 'CONFIG_INVALID', /1_A is not applied/],
    ['1_a', '1_neww', 'CONFIG_INVALID', /there is no 1_neww\.up\.sql; did you mean 1_new\?/],
    ['3_c', '1_new', 'CONFIG_INVALID', /3_c has a file here/],
    ['1_a', '3_c', 'CONFIG_INVALID', /3_c is applied, too/],
    ['1_a', '2_new', 'HISTORY_CONFLICT', /2_new\.up\.sql is not the text/],
  ];
  for (const [from, to, code, words] of REFUSED) {
    it(`${from}=${to}: ${code}`, () => {
      const error = wrongRename(facts, [{ from, to }]);
      expect(error?.code).to.equal(code);
      expect(error?.details.problems?.join()).to.match(words);
    });
  }

  it('names every wrong one at once', () => {
    expect(wrongRename(facts, [{ from: '8_x', to: '1_new' }, { from: '1_a', to: '1_new' }, { from: '9_y', to: '9_z' }])?.details.problems).to.have.length(4);
  });
});
