import { expect } from 'chai';
import fc from 'fast-check';

import type { ErrorCode } from '../../src/core/errors.ts';
import type { HeldVersion } from '../../src/core/plan/held-versions.ts';
import type { AppliedVersion } from '../../src/core/history.ts';
import { compareVersions, type Migration, type Version } from '../../src/core/migration.ts';
import { planDown as planRollback } from '../../src/core/plan/plan-down.ts';
import { NO_JOURNAL, planOrThrow, planUp, statusOf, type Planned } from '../../src/core/plan/plan.ts';
import { MigratorError } from '../../src/core/errors.ts';
import type { DownTarget, UpTarget } from '../../src/core/plan/target.ts';
import { migration, migrations } from '../support/fakes/files.ts';

const A = '001_a';
const B = '002_b';
const C = '003_c';
const D = '004_d';

/** `*` marks a row whose file changed since, `?` a row without a checksum. */
function rows(...marked: readonly string[]): AppliedVersion[] {
  return marked.map((mark) => {
    const version = mark.replace(/[*?]/, '');
    if (mark.endsWith('?')) return { version };
    return { version, checksum: mark.endsWith('*') ? 'of another text' : migration(version).up.checksum };
  });
}

interface Expected {
  readonly steps?: readonly Version[];
  readonly skipped?: readonly Version[];
  readonly pending?: readonly Version[];
  readonly warnings?: readonly RegExp[];
  readonly refused?: { readonly code: ErrorCode; readonly words: readonly RegExp[] };
}

function expectPlan(planned: Planned, expected: Expected): void {
  const { refused, warnings = [] } = expected;
  if (!planned.ok) {
    expect(refused, JSON.stringify(planned.problems)).to.not.equal(undefined);
    expect(planned.problems.map(({ code }) => code)).to.deep.equal(refused!.words.map(() => refused!.code));
    for (const [index, words] of refused!.words.entries()) expect(planned.problems[index]!.message).to.match(words);
    return;
  }
  const { steps, skipped, pending } = planned.plan;
  expect(refused, `planned ${steps.map(({ version }) => version).join()}`).to.equal(undefined);
  expect({ steps: steps.map(({ version }) => version), skipped, pending }).to.deep.equal({
    steps: expected.steps ?? [],
    skipped: expected.skipped ?? [],
    pending: expected.pending ?? [],
  });
  expect(planned.plan.warnings).to.have.length(warnings.length);
  for (const [index, words] of warnings.entries()) expect(planned.plan.warnings[index]).to.match(words);
}

interface UpCase extends Expected {
  readonly files: readonly Version[];
  readonly applied?: readonly string[];
  readonly to?: Version;
  readonly reapply?: readonly Version[];
  readonly strict?: boolean;
}

const UP: Readonly<Record<string, UpCase>> = {
  'nothing at all': { files: [] },
  'all are pending': { files: [A, B, C], steps: [A, B, C], pending: [A, B, C] },
  'some are applied': { files: [A, B, C], applied: [A, B], steps: [C], skipped: [A, B], pending: [C] },
  'all are applied': { files: [A, B], applied: [A, B], skipped: [A, B] },
  'a row without a checksum counts as equal': {
    files: [A, B],
    applied: ['001_a?'],
    steps: [B],
    skipped: [A],
    pending: [B],
  },
  'versions are ordered by number': {
    files: ['9_a', '10_a', '0011_a', '20260101120000_a'],
    steps: ['9_a', '10_a', '0011_a', '20260101120000_a'],
    pending: ['9_a', '10_a', '0011_a', '20260101120000_a'],
  },
  'stops at the target': { files: [A, B, C], to: B, steps: [A, B], pending: [A, B, C] },
  'a target that is applied': { files: [A, B, C], applied: [A, B], to: B, skipped: [A, B], pending: [C] },
  'a target below the newest applied version': {
    files: [A, B, C],
    applied: [A, C],
    to: B,
    steps: [B],
    skipped: [A],
    pending: [B],
    warnings: [/out of order\): 002_b/],
  },
  'a target that does not exist': {
    files: [A, B],
    to: '002_',
    refused: { code: 'CONFIG_INVALID', words: [/--to 002_.*did you mean 002_b\?/] },
  },
  'a target that is only in the history': {
    files: [A],
    applied: [A, B],
    to: B,
    refused: { code: 'CONFIG_INVALID', words: [/--to 002_b/] },
  },
  'a version to apply again that does not exist': {
    files: [A, B],
    reapply: ['002_', A],
    refused: { code: 'CONFIG_INVALID', words: [/--reapply 002_: .*did you mean 002_b\?/] },
  },
  'a target without any files': {
    files: [],
    to: A,
    refused: { code: 'CONFIG_INVALID', words: [/--to 001_a: there is no such migration$/] },
  },

  'out of order': {
    files: [A, B, C],
    applied: [A, C],
    steps: [B],
    skipped: [A, C],
    pending: [B],
    warnings: [/out of order\): 002_b/],
  },
  'out of order, strict': {
    files: [A, B, C],
    applied: [A, C],
    strict: true,
    refused: { code: 'HISTORY_CONFLICT', words: [/out of order\): 002_b/] },
  },
  'out of order, but not in reach': {
    files: [A, B, C],
    applied: [C],
    to: A,
    steps: [A],
    pending: [A, B],
    warnings: [/out of order\): 001_a$/],
  },
  ahead: { files: [A, B], applied: [A, B, C], skipped: [A, B], warnings: [/ahead\): 003_c/] },
  'ahead, strict': {
    files: [A, B],
    applied: [A, B, C],
    strict: true,
    refused: { code: 'HISTORY_CONFLICT', words: [/ahead\): 003_c/] },
  },
  'ahead, and a newer file is not out of order': {
    files: [A, D],
    applied: [A, C],
    steps: [D],
    skipped: [A],
    pending: [D],
    warnings: [/ahead\): 003_c/],
  },
  'ahead, and an older file is not out of order among these files': {
    files: [A, B],
    applied: [A, C],
    steps: [B],
    skipped: [A],
    pending: [B],
    warnings: [/ahead\): 003_c/],
  },
  'versions of another tool are unknown': {
    files: [A],
    applied: [A, 'initial'],
    skipped: [A],
    warnings: [/ahead\): initial/],
  },

  'changed, and nothing to do': {
    files: [A, B],
    applied: ['001_a*', B],
    skipped: [A, B],
    warnings: [/changed after it was applied: 001_a/],
  },
  'changed, and something to do': {
    files: [A, B],
    applied: ['001_a*'],
    refused: { code: 'HISTORY_CONFLICT', words: [/changed after it was applied: 001_a/] },
  },
  'changed, something to do, but not in reach': {
    files: [A, B, C],
    applied: [A, '002_b*'],
    to: A,
    skipped: [A],
    pending: [C],
    warnings: [/changed after it was applied: 002_b/],
  },
  'changed, and nothing to do, strict': {
    files: [A],
    applied: ['001_a*'],
    strict: true,
    refused: { code: 'HISTORY_CONFLICT', words: [/changed/] },
  },
  'all are changed': {
    files: [A, B],
    applied: ['001_a*', '002_b*'],
    skipped: [A, B],
    warnings: [/changed after it was applied: 001_a, 002_b/],
  },

  'equal numbers': {
    files: ['1_a', '1_b'],
    steps: ['1_a', '1_b'],
    pending: ['1_a', '1_b'],
    warnings: [/a number is used twice.*1_a.*1_b/],
  },
  'equal numbers with other zeros': {
    files: ['01_b', '1_a'],
    steps: ['01_b', '1_a'],
    pending: ['01_b', '1_a'],
    warnings: [/a number is used twice/],
  },
  'equal numbers, strict': {
    files: ['1_a', '1_b'],
    strict: true,
    refused: { code: 'HISTORY_CONFLICT', words: [/a number is used twice/] },
  },
  'numbers of two kinds': {
    files: ['20240101_a', '20240102000000_b'],
    steps: ['20240101_a', '20240102000000_b'],
    pending: ['20240101_a', '20240102000000_b'],
    warnings: [/numbers in several formats/],
  },
  'numbers of two kinds, strict': {
    files: ['1700000000_a', '1700000000000_b'],
    strict: true,
    applied: ['1700000000_a', '1700000000000_b'],
    skipped: ['1700000000_a', '1700000000000_b'],
    warnings: [/seconds.*milliseconds/],
  },
  'all problems together': {
    files: [A, B, '003_c', '003_d'],
    applied: ['001_a*', '003_d', '009_z'],
    strict: true,
    refused: {
      code: 'HISTORY_CONFLICT',
      words: [/changed.*001_a/, /out of order\): 002_b, 003_c/, /ahead\): 009_z/, /a number is used twice/],
    },
  },
};

describe('planUp and renamed files', () => {
  const TEXT = 'INSERT INTO settings (name, value) VALUES (1, 2);';
  const SHORT = 'DELETE FROM settings;';
  interface Case {
    readonly files: Readonly<Record<Version, string>>;
    /** The applied text by version; null when no checksum is known. */
    readonly applied: Readonly<Record<Version, string | null>>;
    readonly squashed?: readonly Version[];
    readonly to?: Version;
    readonly renamed?: readonly (readonly [from: Version, to: Version])[];
    readonly warned?: readonly RegExp[];
  }
  const CASES: Readonly<Record<string, Case>> = {
    'another name': { files: { '002_seed': TEXT }, applied: { '002_sed': TEXT }, renamed: [['002_sed', '002_seed']] },
    'another number': { files: { '004_a': TEXT }, applied: { '003_a': TEXT }, renamed: [['003_a', '004_a']] },
    'other zeros': { files: { '0001_a': TEXT }, applied: { '1_a': TEXT }, renamed: [['1_a', '0001_a']] },
    several: {
      files: { '1_b': TEXT, '2_d': `${TEXT} ` },
      applied: { '1_a': TEXT, '2_c': `${TEXT} ` },
      renamed: [
        ['1_a', '1_b'],
        ['2_c', '2_d'],
      ],
    },
    'two applied versions with that text': {
      files: { '3_c': TEXT },
      applied: { '1_a': TEXT, '2_b': TEXT },
      renamed: [
        ['1_a', '3_c'],
        ['2_b', '3_c'],
      ],
    },
    'the old file still exists': { files: { '1_a': TEXT, '2_b': TEXT }, applied: { '1_a': TEXT } },
    'both versions are applied': { files: { '2_b': TEXT }, applied: { '1_a': TEXT, '2_b': TEXT }, warned: [/ahead/] },
    'out of reach': { files: { '1_x': SHORT, '4_a': TEXT }, applied: { '3_a': TEXT }, to: '1_x', warned: [/ahead/] },
    'the same number, another text': {
      files: { '2_seed': `${TEXT} ` },
      applied: { '2_sed': TEXT },
      warned: [/ahead/, /2_seed \(applied: 2_sed\)/],
    },
    'a short text': {
      files: { '2_seed': SHORT },
      applied: { '2_sed': SHORT },
      warned: [/ahead/, /2_seed \(applied: 2_sed\)/],
    },
    'no checksum is known': {
      files: { '2_seed': TEXT },
      applied: { '2_sed': null },
      warned: [/ahead/, /2_seed \(applied: 2_sed\)/],
    },
    squashed: { files: { '3_c': TEXT }, applied: { '1_a': TEXT, '2_b': 'x' }, squashed: ['1_a', '2_b'] },
    'rolled back': { files: { '3_c': TEXT }, applied: {} },
  };
  for (const [name, { files, applied, squashed = [], to, renamed, warned = [] }] of Object.entries(CASES)) {
    it(name, () => {
      const all = Object.entries(files).map(([version, text]) => migration(version, text));
      const history = Object.entries(applied).map(
        ([version, text]): AppliedVersion =>
          text === null ? { version } : { version, checksum: migration(version, text).up.checksum },
      );
      const planned = planUp(all, history, {
        target: to === undefined ? { kind: 'latest' } : { kind: 'version', version: to },
        strict: false,
        squashed: new Set(squashed),
      });
      if (!renamed) {
        expect(planned.ok).to.equal(true);
        const { warnings } = planOrThrow(planned);
        expect(warnings).to.have.length(warned.length);
        for (const [index, pattern] of warned.entries()) expect(warnings[index]).to.match(pattern);
        return;
      }
      expectPlan(planned, {
        refused: {
          code: 'HISTORY_CONFLICT',
          words: renamed.map(([from, to]) => new RegExp(`^${to} has the same text as ${from},`)),
        },
      });
      expect(planned.ok ? undefined : planned.problems[0]?.hint).to.include(
        `lockstep repair --rename ${renamed.map((pair) => pair.join('=')).join(',')}`,
      );
    });
  }
});

describe('planUp and a file of zero bytes', () => {
  const plan = (applied: readonly AppliedVersion[], target: UpTarget = { kind: 'latest' }): Planned =>
    planUp([migration(A), migration(B, '', null), migration(C, '-- nothing to do', ''), migration(D, '')], applied, {
      target,
      strict: false,
    });

  it('is refused while pending, with all others', () => {
    expectPlan(plan([]), {
      refused: { code: 'MIGRATIONS_INVALID', words: [/^002_b\.up\.sql: is empty/, /^004_d\.up\.sql: is empty/] },
    });
  });

  it('is ignored once applied, or beyond the target', () => {
    const target: UpTarget = { kind: 'version', version: A };
    expectPlan(plan([], target), { steps: [A], pending: [A, B, C, D] });
    expectPlan(plan([{ version: B }, { version: D }]), {
      steps: [A, C],
      skipped: [B, D],
      pending: [A, C],
      warnings: [/out of order/],
    });
  });
});

describe('planUp', () => {
  for (const [name, { files, applied = [], to, reapply = [], strict = false, ...expected }] of Object.entries(UP)) {
    it(name, () => {
      const target: UpTarget = to === undefined ? { kind: 'latest' } : { kind: 'version', version: to };
      expectPlan(planUp(migrations(...files), rows(...applied), { target, strict, reapply }), expected);
    });
  }
});

/** Expected from the files alone. */
function planDown(
  files: readonly Migration[],
  applied: readonly AppliedVersion[],
  options: { target: DownTarget; strict: boolean; database: string },
): Planned {
  return planRollback(files, applied, { ...options, stored: [], distrust: [] });
}

interface DownCase extends Expected {
  readonly files: readonly (Version | Migration)[];
  readonly applied?: readonly string[];
  readonly target: DownTarget;
  readonly strict?: boolean;
}

const to = (version: Version): DownTarget => ({ kind: 'version', version });
const steps = (count: number): DownTarget => ({ kind: 'steps', count });
const all = (database = 'shop'): DownTarget => ({ kind: 'all', database });
const NO_DOWN = migration(B, 'SELECT 1', null);
const IRREVERSIBLE_UP = migration(B, '-- lockstep: irreversible\nSELECT 1');
const IRREVERSIBLE_DOWN = migration(B, undefined, '-- lockstep: irreversible\nSELECT 1');

const DOWN: Readonly<Record<string, DownCase>> = {
  'to a version, which stays': { files: [A, B, C], applied: [A, B, C], target: to(A), steps: [C, B] },
  'to the newest: nothing to do': { files: [A, B], applied: [A, B], target: to(B) },
  'to a version, with files that are not applied': {
    files: [A, B, C, D],
    applied: [A, B, C],
    target: to(A),
    steps: [C, B],
    skipped: [D],
    pending: [D],
  },
  'to a version that is out of order': {
    files: [A, B, C],
    applied: [A, C],
    target: to(A),
    steps: [C],
    skipped: [B],
    pending: [B],
  },
  'to a version by number': {
    files: ['9_a', '10_b', '11_c'],
    applied: ['10_b', '9_a', '11_c'],
    target: to('9_a'),
    steps: ['11_c', '10_b'],
  },
  'to a version that is only in the history': { files: [B, C], applied: [A, B, C], target: to(A), steps: [C, B] },
  'to one of equal numbers': {
    files: ['1_a', '1_b', '1_c'],
    applied: ['1_a', '1_b', '1_c'],
    target: to('1_b'),
    steps: ['1_c'],
  },
  'to a version that is not applied': {
    files: [A, B, C],
    applied: [A, C],
    target: to(B),
    refused: { code: 'ROLLBACK_REFUSED', words: [/002_b is not applied.*newest applied are 003_c, 001_a/] },
  },
  'to a version, and none is applied': {
    files: [A],
    target: to(A),
    refused: { code: 'ROLLBACK_REFUSED', words: [/no version is applied/] },
  },
  'to an unknown version': {
    files: [A],
    applied: [A],
    target: to('007_x'),
    refused: { code: 'ROLLBACK_REFUSED', words: [/007_x is not applied/] },
  },

  'one step': { files: [A, B, C], applied: [A, B, C], target: steps(1), steps: [C] },
  'two steps in version order, for any order of rows': {
    files: [A, B, C],
    applied: [C, A, B],
    target: steps(2),
    steps: [C, B],
  },
  'more steps than there are': { files: [A, B], applied: [A, B], target: steps(9), steps: [B, A] },
  'steps, and none is applied': { files: [A], target: steps(1), skipped: [A], pending: [A] },

  all: { files: [A, B], applied: [A, B], target: all(), steps: [B, A] },
  'all, and none is applied': { files: [A, B], target: all(), skipped: [B, A], pending: [A, B] },
  'all of another database': {
    files: [A],
    applied: [A],
    target: all('stock'),
    refused: { code: 'ROLLBACK_REFUSED', words: [/"stock".*"shop"/] },
  },
  'all of a database with another case': {
    files: [A],
    applied: [A],
    target: all('Shop'),
    refused: { code: 'ROLLBACK_REFUSED', words: [/"Shop"/] },
  },

  'no down script': {
    files: [A, NO_DOWN, C],
    applied: [A, B, C],
    target: to(A),
    refused: { code: 'ROLLBACK_REFUSED', words: [/002_b.*no 002_b\.down\.sql/] },
  },
  'no down script, but not to be rolled back': {
    files: [A, NO_DOWN, C],
    applied: [A, B, C],
    target: to(B),
    steps: [C],
  },
  'irreversible up': {
    files: [A, IRREVERSIBLE_UP],
    applied: [A, '002_b?'],
    target: steps(1),
    refused: { code: 'ROLLBACK_REFUSED', words: [/002_b.*irreversible/] },
  },
  'irreversible down': {
    files: [A, IRREVERSIBLE_DOWN],
    applied: [A, B],
    target: steps(1),
    refused: { code: 'ROLLBACK_REFUSED', words: [/002_b.*irreversible/] },
  },
  'no file': {
    files: [A],
    applied: [A, B],
    target: steps(1),
    refused: {
      code: 'ROLLBACK_REFUSED',
      words: [/002_b: it has no file here, and the journal keeps no down script/],
    },
  },
  'all problems of the steps together': {
    files: [A, NO_DOWN],
    applied: [A, '002_b?', C],
    target: all(),
    refused: { code: 'ROLLBACK_REFUSED', words: [/003_c/, /002_b/] },
  },

  'changed, and something to do': {
    files: [A, B],
    applied: ['001_a*', B],
    target: steps(1),
    refused: { code: 'HISTORY_CONFLICT', words: [/changed.*001_a/] },
  },
  'changed, and nothing to do': { files: [A, B], applied: ['001_a*', B], target: to(B), warnings: [/changed.*001_a/] },
  'changed, and nothing to do, strict': {
    files: [A, B],
    applied: ['001_a*', B],
    target: to(B),
    strict: true,
    refused: { code: 'HISTORY_CONFLICT', words: [/changed/] },
  },
};

describe('planDown', () => {
  for (const [name, { files, applied = [], target, strict = false, ...expected }] of Object.entries(DOWN)) {
    it(name, () => {
      const set = files.map((file) => (typeof file === 'string' ? migration(file) : file));
      const same = rows(...applied).map((row) => ({ ...row, checksum: checksumOf(row, set) }));
      expectPlan(planDown(set, same, { target, strict, database: 'shop' }), expected);
    });
  }

  /** Rows carry the checksum of the case's file, not of the default one. */
  function checksumOf({ version, checksum }: AppliedVersion, set: readonly Migration[]): string | undefined {
    return checksum === migration(version).up.checksum
      ? set.find((file) => file.version === version)?.up.checksum
      : checksum;
  }
});

describe('statusOf', () => {
  it('distinguishes held from pending versions', () => {
    const hold = { version: B, at: new Date(0), by: 'rb-1', releases: [] };
    const states = (...holds: HeldVersion[]) =>
      statusOf(migrations(A, B), rows(A), { ...NO_JOURNAL, heldVersions: holds }).map(({ state }) => state);
    expect(states(hold)).to.deep.equal(['applied', 'held']);
    expect(states({ ...hold, version: C }), 'no file').to.deep.equal(['applied', 'pending']);
    expect(states({ ...hold, version: A }), 'applied again').to.deep.equal(['applied', 'pending']);
    expect(statusOf(migrations(A, B), rows(A), { ...NO_JOURNAL, heldVersions: [hold] })[1]).to.deep.equal({
      version: B,
      state: 'held',
      hold,
    });
  });

  it('reports a version in part, even without a file', () => {
    const inPart = (
      [
        [A, 'down'],
        [B, 'up'],
        [C, 'up'],
      ] as const
    ).map(([version, direction]) => ({ version, direction, done: ['x'] }));
    expect(
      statusOf(migrations(A, B), rows(A), { ...NO_JOURNAL, inPart }).map((row) => [
        row.version,
        row.state,
        row.inPart?.direction,
      ]),
    ).to.deep.equal([
      [A, 'in part', 'down'],
      [B, 'in part', 'up'],
      [C, 'in part', 'up'],
    ]);
  });

  it('returns the state of every version in the files or the history, in version order', () => {
    const status = statusOf(migrations(A, B, C, D), rows('009_z', C, '001_a*'));
    expect(status.map(({ version, state }) => `${version} ${state}`)).to.deep.equal([
      '001_a changed',
      '002_b out of order',
      '003_c applied',
      '004_d pending',
      '009_z unknown',
    ]);
  });
});

describe('planOrThrow', () => {
  it('returns the plan', () => {
    const planned = planUp(migrations(A), [], { target: { kind: 'latest' }, strict: false });
    expect(planned.ok && planOrThrow(planned) === planned.plan).to.equal(true);
  });

  it('throws every problem as one error with a hint', () => {
    const planned = planDown([], rows(A, B), { target: all(), strict: false, database: 'shop' });
    try {
      planOrThrow(planned);
      expect.fail('nothing was thrown');
    } catch (error) {
      if (!(error instanceof MigratorError)) throw error;
      expect(error.code).to.equal('ROLLBACK_REFUSED');
      expect(error.details.problems).to.have.length(2);
      expect(error.hint).to.be.a('string');
    }
  });

  it('suggests restoring a file only when one was changed', () => {
    const refused = (applied: readonly AppliedVersion[]) =>
      expect(() => planOrThrow(planUp(migrations(A), applied, { target: { kind: 'latest' }, strict: true }))).to.throw(
        MigratorError,
      );
    refused(rows(A, B)).with.property('hint', 'without --strict it is only a warning');
    refused(rows(`${A}*`, B))
      .with.property('hint')
      .that.matches(/^restore the file .*; without --strict it is only a warning$/);
  });
});

describe('any plan', () => {
  const number = fc.oneof(
    fc.nat(12).map(String),
    fc.nat(12).map((n) => `0${n}`),
    fc.bigInt(0n, 10n ** 15n).map(String),
  );
  const version = fc.tuple(number, fc.constantFrom('a', 'b', 'é')).map(([digits, name]) => `${digits}_${name}`);
  const file = fc.tuple(version, fc.constantFrom('plain', 'no down', 'irreversible')).map(([name, kind]) => {
    if (kind === 'plain') return migration(name);
    return kind === 'no down' ? migration(name, undefined, null) : migration(name, '-- lockstep: irreversible');
  });
  const files = fc
    .uniqueArray(file, { selector: (one) => one.version, maxLength: 8 })
    .map((set) => set.toSorted((a, b) => compareVersions(a.version, b.version)));
  const state = fc.tuple(files, fc.uniqueArray(version, { maxLength: 3 })).chain(([set, unknown]) =>
    fc.record({
      files: fc.constant(set),
      applied: fc
        .tuple(fc.subarray([...set]), fc.infiniteStream(fc.constantFrom('same', 'none', 'other')))
        .map(([applied, kinds]) => [
          ...applied.map(({ version, up }): AppliedVersion => {
            const kind = kinds.next().value;
            return { version, checksum: kind === 'same' ? up.checksum : kind === 'none' ? undefined : 'other' };
          }),
          ...unknown
            .filter((one) => !set.some(({ version }) => version === one))
            .map((one): AppliedVersion => ({ version: one })),
        ]),
    }),
  );
  const targetIn = (set: readonly Migration[]) => fc.constantFrom(...set.map((one) => one.version), '1_nobody');

  it('up: applying it reaches the target, and planning again is empty', () => {
    const everything = state.chain((start) =>
      fc.record({
        start: fc.constant(start),
        strict: fc.boolean(),
        target: fc.oneof(
          fc.constant<UpTarget>({ kind: 'latest' }),
          targetIn(start.files).map((version): UpTarget => ({ kind: 'version', version })),
        ),
      }),
    );
    fc.assert(
      fc.property(everything, ({ start, strict, target }) => {
        const planned = planUp(start.files, start.applied, { target, strict });
        if (!planned.ok) {
          expect(planned.problems).to.not.deep.equal([]);
          return;
        }
        const { plan } = planned;
        const after = [
          ...start.applied,
          ...plan.steps.map(({ version, script }) => ({ version, checksum: script.checksum })),
        ];
        const reach = start.files.filter(
          ({ version }) => target.kind === 'latest' || compareVersions(version, target.version) <= 0,
        );
        const done = new Set(after.map(({ version }) => version));
        expect(reach.filter(({ version }) => !done.has(version))).to.deep.equal([]);
        expect(done.size, 'applied twice').to.equal(after.length);
        expect([...plan.steps.map(({ version }) => version), ...plan.skipped].sort()).to.deep.equal(
          reach.map(({ version }) => version).sort(),
        );
        expect(plan.steps).to.deep.equal(plan.steps.toSorted((a, b) => compareVersions(a.version, b.version)));
        const again = planUp(start.files, after, { target, strict });
        expect(again.ok && again.plan.steps.length === 0, JSON.stringify(again)).to.equal(true);
      }),
    );
  });

  it('down: applying it reaches the target, and planning again is empty', () => {
    const everything = state.chain((start) =>
      fc.record({
        start: fc.constant(start),
        strict: fc.boolean(),
        target: fc.oneof(
          fc.constantFrom<DownTarget>(all(), all('stock'), { kind: 'files' }),
          fc.nat(5).map((count) => steps(count + 1)),
          fc.constantFrom(...start.applied.map((row) => row.version), '1_nobody').map(to),
        ),
      }),
    );
    fc.assert(
      fc.property(everything, ({ start, strict, target }) => {
        const planned = planDown(start.files, start.applied, { target, strict, database: 'shop' });
        if (!planned.ok) {
          expect(planned.problems).to.not.deep.equal([]);
          return;
        }
        const gone = planned.plan.steps.map(({ version }) => version);
        const after = start.applied.filter(({ version }) => !gone.includes(version));
        const newest = after
          .map(({ version }) => version)
          .sort(compareVersions)
          .at(-1);
        expect(after).to.have.length(start.applied.length - gone.length);
        expect(gone).to.deep.equal(gone.toSorted((a, b) => compareVersions(b, a)));
        expect(planned.plan.steps.every(({ script }) => script.file.endsWith('.down.sql'))).to.equal(true);
        if (target.kind === 'version') expect(newest).to.equal(target.version);
        if (target.kind === 'all') expect(after).to.deep.equal([]);
        if (target.kind === 'files')
          expect(newest).to.equal(
            start.files
              .map(({ version }) => version)
              .sort(compareVersions)
              .at(-1),
          );
        if (target.kind === 'steps') expect(gone).to.have.length(Math.min(target.count, start.applied.length));
        for (const version of gone) expect(newest === undefined || compareVersions(version, newest) > 0).to.equal(true);
        if (target.kind === 'steps') return;
        const again = planDown(start.files, after, { target, strict, database: 'shop' });
        expect(again.ok && again.plan.steps.length === 0, JSON.stringify(again)).to.equal(true);
      }),
    );
  });
});
