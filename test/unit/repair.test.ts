import { expect } from 'chai';
import fc from 'fast-check';

import type { VersionInPart } from '../../src/core/plan/in-part.ts';
import {
  describeRepair,
  diffOf,
  leftBy,
  planRepair,
  unknownOnly,
  versionOf,
  wrongRename,
  type RepairFacts,
  type RepairWish,
} from '../../src/core/plan/repair.ts';
import { checksum } from '../../src/core/migration.ts';
import { migration, migrations } from '../support/fakes/files.ts';

const [A, B, C, D] = ['001_a', '002_b', '003_c', '004_d'] as const;
const hold = { version: D, at: new Date(0), by: 'rb-1', releases: [] };
const inPart: readonly VersionInPart[] = [
  { version: B, direction: 'down', done: ['x'], started: { statement: 2, checksum: 'y' } },
  { version: C, direction: 'up', done: ['x'] },
];
/** A is changed and has a changed down file; B is in part down; C is in part up; D is held. */
const FACTS: RepairFacts = {
  migrations: [migration(A, 'SELECT 2', 'SELECT 3'), ...migrations(B, C, D)],
  applied: [
    { version: A, checksum: migration(A).up.checksum },
    { version: B, checksum: migration(B).up.checksum },
  ],
  storedDowns: [A, B].map((version) => ({
    version,
    checksum: checksum(`DROP TABLE t_${version}`),
    sql: `DROP TABLE t_${version}`,
    irreversible: false,
  })),
  inPart,
  heldVersions: [hold],
  lost: [],
};

const planned = (wish: RepairWish, facts = FACTS): string[] =>
  planRepair(facts, wish).map((action) => `${action.type} ${versionOf(action)}`);

describe('repair', () => {
  const cases: [name: string, wish: RepairWish, actions: string[]][] = [
    ['accepts changed files and nothing else by default', {}, [`accept checksum ${A}`]],
    ['ends the hold of the named version', { only: D }, [`release hold ${D}`]],
    ['ends no hold of another version', { only: A }, [`accept checksum ${A}`]],
    ['does nothing for a version that needs no repair', { only: B }, []],
    ['replaces stored down SQL on request', { down: 'files' }, [`accept checksum ${A}`, `replace down ${A}`]],
    ['settles a statement and nothing else', { statement: 'done' }, [`settle statement ${B}`]],
    ['settles no statement of another version', { statement: 'done', only: C }, []],
    ['resets the progress of one version', { reset: true, only: C }, [`reset progress ${C}`]],
    ['resets nothing without progress', { reset: true, only: A }, []],
  ];
  for (const [name, wish, actions] of cases) {
    it(name, () => {
      expect(planned(wish)).to.deep.equal(actions);
    });
  }

  it('keeps stored down SQL of versions without a file', () => {
    const gone = { ...FACTS, migrations: [migration(A, undefined, null)] };
    expect(planned({ down: 'files' }, gone)).to.deep.equal([]);
    expect(planned({ down: 'files', only: B }, gone)).to.deep.equal([]);
  });

  it('shows a replacement as a diff', () => {
    const replacing = planRepair(FACTS, { down: 'files' }).find(({ type }) => type === 'replace down');
    expect(diffOf(replacing!).slice(2)).to.deep.equal(['- DROP TABLE t_001_a', '+ SELECT 3']);
  });

  it('names the command that finishes a settled statement', () => {
    const [down] = planRepair(FACTS, { statement: 'done' });
    expect(describeRepair(down!)).to.equal('treat statement 2 of the down file as done; the same down finishes it');
    const started = { ...FACTS, inPart: [{ ...inPart[1]!, started: { statement: 2, checksum: 'y' } }] };
    const [up] = planRepair(started, { statement: 'again' });
    expect(describeRepair(up!)).to.equal('run statement 2 again');
  });

  it('lists what it leaves, with the command for each', () => {
    const left = (wish: RepairWish): string => leftBy(planRepair(FACTS, wish), FACTS, wish).join('\n');
    expect(left({}))
      .to.include('repair --only 002_b --statement done')
      .and.include('repair --only 003_c --reset')
      .and.include('repair --only 001_a --down files')
      .and.include('repair --only 004_d');
    expect(left({ only: D })).to.equal('');
    expect(left({ only: C, reset: true })).to.equal('');
    expect(left({ only: C })).to.match(/^003_c is applied in part.*--reset"$/);
  });

  it('acts only on what any combination of options selects', () => {
    const wishes = fc.record({
      only: fc.constantFrom(undefined, A, B, C, D),
      statement: fc.constantFrom(undefined, 'done' as const, 'again' as const),
      reset: fc.boolean(),
      down: fc.constantFrom(undefined, 'files' as const),
    });
    fc.assert(
      fc.property(wishes, (wish) => {
        const actions = planRepair(FACTS, wish);
        for (const action of actions) {
          if (wish.only !== undefined) expect(versionOf(action)).to.equal(wish.only);
          if (action.type === 'release hold') expect(wish.only).to.equal(D);
          if (action.type === 'replace down') expect(wish.down).to.equal('files');
          if (action.type === 'settle statement') expect(wish.statement).to.equal(action.as);
          if (action.type === 'reset progress') expect(wish.reset).to.equal(true);
        }
      }),
    );
  });
});

describe('repair --only', () => {
  const facts = {
    ...FACTS,
    migrations: migrations(A, B),
    applied: [{ version: '000_old' }],
    inPart: [{ version: '009_gone', direction: 'up', done: ['x'] } as const],
    heldVersions: [{ ...hold, version: '010_held' }],
  };

  it('accepts every version in the files, the history or the journal', () => {
    for (const version of [undefined, A, '000_old', '009_gone', '010_held'])
      expect(unknownOnly(facts, version)).to.equal(undefined);
  });

  it('refuses any other version and suggests a similar one', () => {
    expect(unknownOnly(facts, '002_c')).to.include({ code: 'CONFIG_INVALID', hint: 'did you mean 002_b?' });
    expect(unknownOnly(facts, 'something else')?.hint).to.include('lockstep status');
  });
});

describe('repair --rename', () => {
  const applied = [
    { version: '1_a', checksum: migration('1_a', 'one').up.checksum },
    { version: '2_b' },
    { version: '3_c', checksum: 'x' },
  ];
  const facts = {
    migrations: [migration('1_new', 'one'), migration('2_new', 'two'), migration('3_c', 'three')],
    applied,
    storedDowns: [],
    inPart: [],
    heldVersions: [],
    lost: [],
  };

  it('renames and does nothing else', () => {
    const rename = [
      { from: '1_a', to: '1_new' },
      { from: '2_b', to: '2_new' },
    ];
    expect(wrongRename(facts, rename)).to.equal(undefined);
    expect(
      planRepair(facts, { rename }).map((action) =>
        action.type === 'rename' ? [action.from, action.migration.version] : action.type,
      ),
    ).to.deep.equal([
      ['1_a', '1_new'],
      ['2_b', '2_new'],
    ]);
  });

  it('does nothing when the rename is recorded', () => {
    const done = { ...facts, applied: [{ version: '1_new' }] };
    expect(wrongRename(done, [{ from: '1_a', to: '1_new' }])).to.equal(undefined);
    expect(planRepair(done, { rename: [{ from: '1_a', to: '1_new' }] })).to.deep.equal([]);
  });

  const REFUSED: readonly (readonly [from: string, to: string, code: string, words: RegExp])[] = [
    ['1_A', '1_new', 'CONFIG_INVALID', /1_A is not applied/],
    ['1_a', '1_neww', 'CONFIG_INVALID', /there is no 1_neww\.up\.sql; did you mean 1_new\?/],
    ['3_c', '1_new', 'CONFIG_INVALID', /3_c has a file here/],
    ['1_a', '3_c', 'CONFIG_INVALID', /3_c is applied as well/],
    ['1_a', '2_new', 'HISTORY_CONFLICT', /2_new\.up\.sql differs from the text/],
  ];
  for (const [from, to, code, words] of REFUSED) {
    it(`${from}=${to}: ${code}`, () => {
      const error = wrongRename(facts, [{ from, to }]);
      expect(error?.code).to.equal(code);
      expect(error?.details.problems?.join()).to.match(words);
    });
  }

  it('reports all invalid renames together', () => {
    expect(
      wrongRename(facts, [
        { from: '8_x', to: '1_new' },
        { from: '1_a', to: '1_new' },
        { from: '9_y', to: '9_z' },
      ])?.details.problems,
    ).to.have.length(4);
  });
});
