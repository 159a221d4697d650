import { expect } from 'chai';
import fc from 'fast-check';

import {
  describeInPart,
  progressOf,
  unfinished,
  type StatementRow,
  type VersionInPart,
} from '../../src/core/plan/in-part.ts';
import type { Direction, Version } from '../../src/core/migration.ts';
import { planDown } from '../../src/core/plan/plan-down.ts';
import { planUp, type Planned } from '../../src/core/plan/plan.ts';
import type { DownTarget, UpTarget } from '../../src/core/plan/target.ts';
import { migration, migrations } from '../support/fakes/files.ts';

const [A, B, C, D] = ['001_a', '002_b', '003_c', '004_d'] as const;

type Row = readonly [event: string, statement: number, direction?: Direction, version?: Version];

function rows(...entries: readonly Row[]): StatementRow[] {
  return entries.map(([event, statement, direction = 'up', version = A]) => ({
    version,
    direction,
    event: `statement ${event}`,
    statement,
    checksum: `${direction} ${statement}`,
  }));
}

describe('progressOf', () => {
  const cases: [name: string, rows: readonly Row[], expected: string[]][] = [
    ['is empty without rows', [], []],
    ['contains the finished statements', [['done', 1]], ['001_a up done 1']],
    ['contains the started statement', [['started', 1]], ['001_a up done 0 started 1']],
    [
      'is empty when every started statement failed',
      [
        ['started', 1],
        ['failed', 1],
      ],
      [],
    ],
    [
      'is empty after a reset',
      [
        ['started', 1],
        ['reset', 1],
      ],
      [],
    ],
    [
      'advances with each statement',
      [
        ['done', 1],
        ['started', 2],
        ['done', 2],
        ['started', 3],
      ],
      ['001_a up done 2 started 3'],
    ],
    [
      'keeps the started statement while earlier ones are repeated',
      [
        ['done', 1],
        ['started', 2],
        ['done', 1],
      ],
      ['001_a up done 1 started 2'],
    ],
    [
      'belongs to the direction that was started last',
      [
        ['done', 1],
        ['started', 1, 'down'],
      ],
      ['001_a down done 0 started 1'],
    ],
    [
      'contains each version in version order',
      [
        ['done', 1, 'up', '10_z'],
        ['done', 1, 'down', '9_y'],
      ],
      ['9_y down done 1', '10_z up done 1'],
    ],
  ];
  for (const [name, entries, expected] of cases) {
    it(name, () => {
      const progress = progressOf(rows(...entries)).map(
        ({ version, direction, done, started }) =>
          `${version} ${direction} done ${done.length}${started ? ` started ${started.statement}` : ''}`,
      );
      expect(progress).to.deep.equal(expected);
    });
  }

  it('is described with the number of finished statements', () => {
    const [one] = progressOf(rows(['done', 1], ['done', 2], ['started', 3]));
    expect(describeInPart(one!)).to.equal(
      '001_a is applied in part: of its up file statements 1 to 2 are done; statement 3 was started and has no recorded end',
    );
  });

  it('is finished once the history records the version or removes its row', () => {
    const inPart: VersionInPart[] = [
      { version: A, direction: 'up', done: ['x'] },
      { version: B, direction: 'down', done: ['x'] },
    ];
    expect(unfinished(inPart, [{ version: A }])).to.deep.equal([]);
    expect(unfinished(inPart, [{ version: B }])).to.deep.equal(inPart);
  });
});

interface Situation {
  readonly files: readonly Version[];
  readonly applied: readonly Version[];
  readonly up?: Version;
  readonly down?: Version;
}

function partsOf({ up, down }: Situation): VersionInPart[] {
  return [
    ...(up === undefined ? [] : [{ version: up, direction: 'up', done: ['x'] } as const]),
    ...(down === undefined ? [] : [{ version: down, direction: 'down', done: ['x'] } as const]),
  ];
}

function tell(planned: Planned): string {
  if (planned.ok)
    return [
      planned.plan.steps.map(({ version }) => version).join(' ') || 'nothing',
      ...planned.plan.warnings.flatMap((warning) =>
        warning.includes(' in part: ') ? `warns of ${warning.slice(0, 5)}` : [],
      ),
    ].join(', ');
  expect(planned.problems.every(({ hint }) => hint?.includes('finish') === true && hint.includes('--reset'))).to.equal(
    true,
  );
  return [
    ...new Set(
      planned.problems.map(({ code, message }) => `${code === 'ROLLBACK_REFUSED' ? 24 : 22} ${message.slice(0, 5)}`),
    ),
  ].join(', ');
}

function planned(situation: Situation, target: UpTarget | DownTarget, direction: Direction): Planned {
  const applied = situation.applied.map((version) => ({ version, checksum: migration(version).up.checksum }));
  const files = migrations(...situation.files);
  const inPart = partsOf(situation);
  const stored = situation.applied.map((version) => ({
    version,
    checksum: files[0]!.up.checksum,
    sql: 'SELECT 1',
    irreversible: false,
  }));
  if (direction === 'up') return planUp(files, applied, { target: target as UpTarget, strict: false, inPart });
  return planDown(files, applied, {
    target: target as DownTarget,
    strict: false,
    database: 'shop',
    distrust: [],
    choice: 'stored',
    stored,
    inPart,
  });
}

describe('a version in part', () => {
  const LATEST = { kind: 'latest' } as const;
  const ALL: DownTarget = { kind: 'all', database: 'shop' };
  const FILES: DownTarget = { kind: 'files' };
  const to = (version: Version) => ({ kind: 'version', version }) as const;
  const steps = (count: number): DownTarget => ({ kind: 'steps', count });
  const upB: Situation = { files: [A, B, C, D], applied: [A], up: B };
  const upBelow: Situation = { files: [A, B, C, D], applied: [A, C], up: B };
  const downB: Situation = { files: [A, B, C, D], applied: [A, B], down: B };
  const downBelow: Situation = { files: [A, B, C], applied: [A, B, C], down: B };

  const cases: [name: string, Situation, Direction, UpTarget | DownTarget, expected: string][] = [
    ['up: continues it and then the following versions', upB, 'up', LATEST, `${B} ${C} ${D}`],
    ['up: up to it', upB, 'up', to(B), B],
    ['up: up to a version below it', upB, 'up', to(A), 'nothing, warns of 002_b'],
    ['up: without its file', { ...upB, files: [A] }, 'up', LATEST, 'nothing, warns of 002_b'],
    ['up: without its file, with others', { ...upB, files: [A, C] }, 'up', LATEST, `${C}, warns of 002_b`],
    ['up: down below it', upB, 'down', to(A), '24 002_b'],
    ['up: down to it', upB, 'down', to(B), '24 002_b'],
    ['up: down of everything', upB, 'down', ALL, '24 002_b'],
    ['up: down by steps', upB, 'down', steps(1), '24 002_b'],
    ['up: down to the files of an older image', { ...upB, files: [A] }, 'down', FILES, '24 002_b'],
    ['up: down above it', upBelow, 'down', steps(1), `${C}, warns of 002_b`],
    ['up: down through it', upBelow, 'down', steps(2), '24 002_b'],
    ['up: down to a version below it, past others', upBelow, 'down', to(A), '24 002_b'],
    ['down: up', downB, 'up', LATEST, '22 002_b'],
    ['down: up with nothing else', { ...downB, files: [A, B] }, 'up', LATEST, '22 002_b'],
    ['down: up without its file', { ...downB, files: [A] }, 'up', LATEST, 'nothing, warns of 002_b'],
    ['down: up without its file, with others', { ...downB, files: [A, C] }, 'up', LATEST, '22 002_b'],
    ['down: the same down', downB, 'down', to(A), B],
    ['down: the same down by steps', downB, 'down', steps(1), B],
    ['down: without its file', { ...downB, files: [A] }, 'down', FILES, B],
    ['down: further down', downB, 'down', ALL, `${B} ${A}`],
    ['down: down to it', downB, 'down', to(B), '22 002_b'],
    ['down: down above it', downBelow, 'down', steps(1), '22 002_b'],
    ['down: down through it', downBelow, 'down', to(A), `${C} ${B}`],
  ];
  for (const [name, situation, direction, target, expected] of cases) {
    it(name, () => {
      expect(tell(planned(situation, target, direction))).to.equal(expected);
    });
  }

  it('is finished, warned of or refused for any target, and never skipped silently', () => {
    const versions = [A, B, C, D] as const;
    const situations = fc
      .record({
        files: fc.subarray([...versions], { minLength: 1 }),
        applied: fc.subarray([...versions]),
        part: fc.constantFrom(...versions),
      })
      .map(
        ({ files, applied, part }): Situation => ({
          files,
          applied,
          ...(applied.includes(part) ? { down: part } : { up: part }),
        }),
      );
    const targets = fc.oneof(
      fc.constantFrom(...versions).map((version) => ({ direction: 'down' as const, target: to(version) })),
      fc.constantFrom(1, 2, 4).map((count) => ({ direction: 'down' as const, target: steps(count) })),
      fc.constantFrom(
        { direction: 'down' as const, target: ALL },
        { direction: 'down' as const, target: FILES },
        { direction: 'up' as const, target: LATEST },
      ),
      fc.constantFrom(...versions).map((version) => ({ direction: 'up' as const, target: to(version) })),
    );
    fc.assert(
      fc.property(situations, targets, (situation, { direction, target }) => {
        const part = partsOf(situation)[0]!;
        const result = planned(situation, target, direction);
        if (!result.ok) return;
        const { steps: run, warnings } = result.plan;
        const goesOn = run.some(({ version }) => version === part.version);
        if (goesOn) expect(direction, 'only in the direction that was begun').to.equal(part.direction);
        else
          expect(
            warnings.some(
              (warning) =>
                /^\S+ is (applied|rolled back) in part: /.test(warning) && warning.startsWith(`${part.version} `),
            ),
            'it is told',
          ).to.equal(true);
        if (direction === 'down' && part.direction === 'up')
          expect(
            run.every(({ version }) => version > part.version),
            'nothing below it goes',
          ).to.equal(true);
        if (direction === 'up' && part.direction === 'down') expect(run).to.deep.equal([]);
      }),
      { numRuns: 2_000 },
    );
  });
});
