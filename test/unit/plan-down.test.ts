import { expect } from 'chai';

import type { AppliedVersion } from '../../src/core/history.ts';
import { checksum, type Migration, type Version } from '../../src/core/migration.ts';
import { planDown, type PlanDownOptions } from '../../src/core/plan/plan-down.ts';
import { lacksStoredDown, type StoredDown } from '../../src/core/plan/stored-down.ts';
import type { DownTarget } from '../../src/core/plan/target.ts';
import { migration, migrations } from '../support/fakes/files.ts';

const [A, B, C, D] = ['001_a', '002_b', '003_c', '004_d'] as const;

function rows(...versions: readonly Version[]): AppliedVersion[] {
  return versions.map((version) => ({ version, checksum: migration(version).up.checksum }));
}

function stored(version: Version, sql = `DROP TABLE t_${version}`, irreversible = false): StoredDown {
  return { version, checksum: checksum(sql), irreversible, sql };
}

const NOTHING_STORED = (version: Version): StoredDown => ({ version, checksum: undefined, irreversible: false });

interface Case {
  readonly files: readonly (Version | Migration)[];
  readonly applied: readonly Version[];
  readonly target?: DownTarget;
  readonly more?: Partial<PlanDownOptions>;
  /** `version source` of each step. */
  readonly steps?: readonly string[];
  readonly refused?: readonly RegExp[];
}

const one: DownTarget = { kind: 'steps', count: 1 };
const files: DownTarget = { kind: 'files' };
const to = (version: Version): DownTarget => ({ kind: 'version', version });
const WITHOUT_DOWN = migration(B, undefined, null);
const CHANGED = migration(B, undefined, 'DROP TABLE t_002_b CASCADE');
const kept = (...versions: readonly Version[]) => ({ stored: versions.map((version) => stored(version)) });

const SCRIPTS: Readonly<Record<string, Case>> = {
  'file and stored text are equal: the file': { files: [A, B], applied: [A, B], more: kept(B), steps: [`${B} file`] },
  'line ends are ignored': {
    files: [A, migration(B, undefined, 'SELECT 1;\r\nSELECT 2')],
    applied: [A, B],
    more: { stored: [stored(B, 'SELECT 1;\nSELECT 2')] },
    steps: [`${B} file`],
  },
  'only a file': { files: [A, B], applied: [A, B], steps: [`${B} file`] },
  'only a file, which did not exist when the version was applied': {
    files: [A, B],
    applied: [A, B],
    more: { stored: [NOTHING_STORED(B)] },
    steps: [`${B} file`],
  },
  'only a stored text': { files: [A], applied: [A, B], more: kept(B), steps: [`${B} stored`] },
  'stored, newest first': {
    files: [A],
    applied: [A, B, C, D],
    target: to(A),
    more: kept(B, C, D),
    steps: [`${D} stored`, `${C} stored`, `${B} stored`],
  },
  'one stored, one from its file': {
    files: [A, B],
    applied: [A, B, C],
    target: to(A),
    more: kept(B, C),
    steps: [`${C} stored`, `${B} file`],
  },
  'file and stored text differ': {
    files: [A, CHANGED],
    applied: [A, B],
    more: kept(B),
    refused: [
      /002_b: the down file and the stored down SQL differ\n--- .*stored.*\n\+\+\+ .*file\n- DROP TABLE t_002_b\n\+ DROP TABLE t_002_b CASCADE/,
    ],
  },
  'file and stored text differ, the file is chosen': {
    files: [A, CHANGED],
    applied: [A, B],
    more: { ...kept(B), choice: 'files' },
    steps: [`${B} file`],
  },
  'file and stored text differ, the stored text is chosen': {
    files: [A, CHANGED],
    applied: [A, B],
    more: { ...kept(B), choice: 'stored' },
    steps: [`${B} stored`],
  },
  'the down file was removed': {
    files: [A, WITHOUT_DOWN],
    applied: [A, B],
    more: kept(B),
    refused: [/its down file no longer exists; the stored text is\n- DROP TABLE t_002_b/],
  },
  'the down file was removed, the stored text is chosen': {
    files: [A, WITHOUT_DOWN],
    applied: [A, B],
    more: { ...kept(B), choice: 'stored' },
    steps: [`${B} stored`],
  },
  'the down file was removed, the file is chosen': {
    files: [A, WITHOUT_DOWN],
    applied: [A, B],
    more: { ...kept(B), choice: 'files' },
    refused: [/there is no 002_b\.down\.sql/],
  },
  'neither a file nor a stored text': {
    files: [A, WITHOUT_DOWN],
    applied: [A, B],
    more: { stored: [NOTHING_STORED(B)] },
    refused: [/there is no 002_b\.down\.sql/],
  },
  'no file and nothing stored': {
    files: [A],
    applied: [A, B],
    refused: [/002_b: it has no file here, and the journal keeps no down script/],
  },
  'no file, and no down script when the version was applied': {
    files: [A],
    applied: [A, B],
    more: { stored: [NOTHING_STORED(B)] },
    refused: [/it had no down script when it was applied/],
  },
  'stored as irreversible': {
    files: [A],
    applied: [A, B],
    more: { stored: [stored(B, undefined, true)] },
    refused: [/002_b: its file says "irreversible"/],
  },
  'the stored text contains the irreversible directive': {
    files: [A],
    applied: [A, B],
    more: { stored: [stored(B, '-- lockstep: irreversible\nSELECT 1')] },
    refused: [/irreversible/],
  },
  'no text was stored because the version is irreversible': {
    files: [A],
    applied: [A, B],
    more: { stored: [{ version: B, checksum: undefined, irreversible: true }] },
    refused: [/irreversible/],
  },
  'all problems together': {
    files: [A, CHANGED],
    applied: [A, B, C, D],
    target: to(A),
    more: { stored: [stored(B), NOTHING_STORED(D)] },
    refused: [/004_d.*had no down script/, /003_c.*keeps no down script/, /002_b: the down file and the stored/],
  },

  'other roles could have written the stored text': {
    files: [A],
    applied: [A, B, C],
    target: to(A),
    more: { ...kept(B, C), distrust: ['role "app" may INSERT', 'a trigger'] },
    refused: [/stored down SQL of 003_c, 002_b cannot be trusted: role "app" may INSERT/, /a trigger/],
  },
  'other roles could have written the stored text, which equals the file': {
    files: [A, B],
    applied: [A, B],
    more: { ...kept(B), distrust: ['role "app" may INSERT'] },
    steps: [`${B} file`],
  },
  'other roles could have written the stored text, which is chosen': {
    files: [A, CHANGED],
    applied: [A, B],
    more: { ...kept(B), choice: 'stored', distrust: ['role "app" may INSERT'] },
    refused: [/cannot be trusted/],
  },
};

/** A wrong or empty mount: without these rules it would roll back versions in use. */
const FILES: Readonly<Record<string, Case>> = {
  'rolls back versions newer than the newest file': {
    files: [A, B],
    applied: [A, B, C, D],
    target: files,
    more: kept(C, D),
    steps: [`${D} stored`, `${C} stored`],
  },
  'has nothing to do when nothing is newer': { files: [A, B], applied: [A, B], target: files, steps: [] },
  'accepts an older file that is not applied': {
    files: [A, B, C],
    applied: [A, C, D],
    target: files,
    more: kept(D),
    steps: [`${D} stored`],
  },
  'refuses an empty directory': {
    files: [],
    applied: [A, B],
    target: files,
    more: kept(A, B),
    refused: [/no migration files, so every version would be rolled back/],
  },
  'refuses when the newest file is not applied': {
    files: [A, B, C, D],
    applied: [A, B, C],
    target: files,
    more: kept(C),
    refused: [/004_d, the newest file, is not applied; the newest applied are 003_c, 002_b, 001_a/],
  },
  'refuses the directory of another application': {
    files: ['001_x'],
    applied: [A, B],
    target: files,
    more: kept(A, B),
    refused: [/001_x, the newest file, is not applied/, /lack 001_a, older than their newest file, 001_x/],
  },
  'refuses when an unknown version is older': {
    files: [A, C],
    applied: [A, B, C, D],
    target: files,
    more: kept(B, D),
    refused: [/lack 002_b, older than their newest file, 003_c/],
  },
};

describe('planDown: which text runs', () => {
  cases(SCRIPTS);
});

describe('planDown --to-files', () => {
  cases(FILES);
});

function cases(table: Readonly<Record<string, Case>>): void {
  for (const [name, { files: directory, applied, target = one, more, steps, refused = [] }] of Object.entries(table)) {
    it(name, () => {
      const set = directory.map((file) => (typeof file === 'string' ? migration(file) : file));
      const planned = planDown(set, rows(...applied), {
        target,
        strict: false,
        database: 'shop',
        stored: [],
        distrust: [],
        ...more,
      });
      if (!planned.ok) {
        expect(planned.problems.map(({ code }) => code)).to.deep.equal(refused.map(() => 'ROLLBACK_REFUSED'));
        for (const [index, words] of refused.entries()) expect(planned.problems[index]!.message).to.match(words);
        return;
      }
      expect(
        planned.plan.steps.map((step) => `${step.version} ${step.direction === 'down' ? step.source : 'up'}`),
      ).to.deep.equal(steps);
    });
  }
}

describe('planDown', () => {
  const plan = (set: readonly Migration[], applied: readonly AppliedVersion[], more: Partial<PlanDownOptions>) => {
    const planned = planDown(set, applied, {
      target: one,
      strict: false,
      database: 'shop',
      stored: [],
      distrust: [],
      ...more,
    });
    if (!planned.ok) throw new Error(planned.problems.map(({ message }) => message).join());
    return planned.plan.steps[0]!;
  };

  it('reads directives of stored text', () => {
    const { script } = plan([], rows(A), {
      stored: [stored(A, '-- lockstep: no-transaction\n-- lockstep: lock-timeout=2s\nSELECT 1')],
    });
    expect(script.directives).to.include({ noTransaction: true, lockTimeoutMs: 2000 });
    expect(script.file).to.equal('001_a.down.sql');
  });

  it('passes the hold and its reason to each step', () => {
    const hold = { hold: true, reason: 'it is slow' };
    expect(plan(migrations(A), rows(A), hold)).to.deep.include(hold);
    expect(plan(migrations(A), rows(A), {})).to.deep.include({ hold: false, reason: undefined });
  });

  it('shows no password in a diff, even when the word PASSWORD is on another line', () => {
    const secret = (word: string) => `ALTER ROLE r PASSWORD\n  '${word}'`;
    const planned = planDown([migration(A, undefined, secret('old'))], rows(A), {
      ...{ target: one, strict: false, database: 'shop', distrust: [] },
      stored: [stored(A, secret('hunter2'))],
    });
    const text = JSON.stringify(planned);
    expect(planned.ok).to.equal(false);
    expect(text)
      .to.contain('differ only in masked text')
      .and.not.match(/hunter2|'old'/);
  });
});

describe('lacksStoredDown', () => {
  const irreversible = migration(A, '-- lockstep: irreversible\nSELECT 1', null);
  for (const [name, file, there, expected] of [
    ['nothing is stored', migration(A), undefined, true],
    ['no down SQL is stored', migration(A), NOTHING_STORED(A), true],
    ['this down SQL is stored', migration(A), stored(A), false],
    ['another text is stored', migration(A), stored(A, 'SELECT 1'), false],
    ['there is nothing to store', migration(A, undefined, null), undefined, false],
    ['irreversible, and the journal has no record', irreversible, undefined, true],
    [
      'irreversible, and the journal records that',
      irreversible,
      { version: A, checksum: undefined, irreversible: true },
      false,
    ],
  ] as const) {
    it(name, () => {
      expect(lacksStoredDown(file, there)).to.equal(expected);
    });
  }
});
