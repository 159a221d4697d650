/** Import of renamed files: no migration runs twice and none is skipped, or the import is refused. */
import { expect } from 'chai';
import fc from 'fast-check';

import { MigratorError } from '../../src/core/errors.ts';
import type { ForeignRow, ImportTool } from '../../src/core/import/foreign-history.ts';
import { planImport, type ImportPlan } from '../../src/core/import/plan-import.ts';
import { compareVersions } from '../../src/core/migration.ts';
import { migrations } from '../support/fakes/files.ts';

type Tool = Exclude<ImportTool, 'golang-migrate' | 'flyway'>;
type Named = Extract<Tool, 'node-pg-migrate' | 'prisma'>;

function table(tool: Tool, labels: readonly string[]): { columns: string[]; rows: ForeignRow[] } {
  switch (tool) {
    case 'node-pg-migrate':
      return {
        columns: ['id', 'name', 'run_on'],
        rows: labels.map((name, index) => ({ id: String(index + 1), name, run_on: '2024-01-01' })),
      };
    case 'prisma':
      return {
        columns: ['migration_name', 'applied_steps_count'],
        rows: labels.map((name) => ({ migration_name: name, finished_at: '2024-01-01', rolled_back_at: null })),
      };
    case 'goose':
      return {
        columns: ['version_id', 'is_applied'],
        rows: labels.map((label, index) => ({
          id: String(index + 1),
          version_id: label.split('_')[0]!,
          is_applied: 'true',
        })),
      };
    case 'dbmate':
      return { columns: ['version'], rows: labels.map((label) => ({ version: label.split('_')[0]! })) };
  }
}

function plan(tool: Tool, labels: readonly string[], files: readonly string[]): ImportPlan {
  return planImport({
    tool,
    table: { name: { schema: 'public', name: 'x' }, ...table(tool, labels) },
    migrations: migrations(...[...files].sort(compareVersions)),
    applied: [],
    journaled: new Set(),
  });
}

const recorded = (one: ImportPlan): string[] => one.record.map(({ migration: { version } }) => version);

function refused(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof MigratorError && error.code === 'HISTORY_CONFLICT') return error.details.problems ?? [];
    throw error;
  }
  throw new Error('it was not refused');
}

describe('import of renamed files', () => {
  it('matches a file whose number changed its kind, and warns', () => {
    const result = plan(
      'node-pg-migrate',
      ['1700000000000_a', '20240101000000_b'],
      ['20231114221320_a', '20240101000000_b', '20250101000000_c'],
    );
    expect(recorded(result)).to.deep.equal(['20231114221320_a', '20240101000000_b']);
    expect(result.warnings).to.deep.equal(['1700000000000_a is matched with 20231114221320_a by name and time']);
  });

  const REFUSED: readonly (readonly [
    what: string,
    tool: Tool,
    rows: readonly string[],
    files: readonly string[],
    words: RegExp,
  ])[] = [
    [
      'another number of the same kind',
      'node-pg-migrate',
      ['1_a', '2_b'],
      ['2_b', '5_a'],
      /1_a: no file has its number, but 5_a has its name/,
    ],
    ['swapped numbers', 'node-pg-migrate', ['1_a'], ['1_b', '2_a'], /1_a: 1_b has its number, but 2_a its name/],
    [
      'missing from the middle',
      'node-pg-migrate',
      ['1_a', '2_b', '3_c'],
      ['1_a', '3_c'],
      /2_b: no file has this number or name/,
    ],
    [
      'missing, beside a file that matches no row',
      'dbmate',
      ['1', '3', '5'],
      ['2_x', '3_c', '5_e'],
      /1: no file has this number/,
    ],
    [
      'missing by a number of another kind',
      'dbmate',
      ['1700000000000', '20240101000000'],
      ['20231114221320_a', '20240101000000_b'],
      /1700000000000: no file/,
    ],
    [
      'another timestamp with its name',
      'node-pg-migrate',
      ['1700000000000_a', '20240101000000_b'],
      ['20231114221321_a', '20240101000000_b'],
      /but 20231114221321_a has its name/,
    ],
    ['no file matches', 'goose', ['1', '2'], ['20240101000000_a', '20240102000000_b'], /^1: no file.*2: no file/],
    [
      'one name, two files',
      'prisma',
      ['1700000000000_a', '20240101000000_b'],
      ['20231114221320_a', '20231114221321_a', '20240101000000_b'],
      /but 20231114221320_a, 20231114221321_a has its name/,
    ],
  ];
  for (const [what, tool, rows, files, words] of REFUSED) {
    it(`is refused: ${what}`, () => expect(refused(() => plan(tool, rows, files)).join('; ')).to.match(words));
  }

  it('skips the oldest versions when their files no longer exist', () => {
    expect(recorded(plan('node-pg-migrate', ['1_a', '2_b', '3_c'], ['3_c', '4_d']))).to.deep.equal(['3_c']);
  });

  /** Every old migration has an identity that its file keeps under any name. */
  const number = fc.oneof(
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 0, max: 39 }).map((n) => 1_700_000_000_000 + 1000 * n),
    fc.integer({ min: 0, max: 59 }).map((n) => 20_231_114_222_300 + n),
  );
  /** Converts milliseconds to a date with a time, as docs/import.md describes. */
  const converted = (n: number): number =>
    n > 1e12 && n < 1e13 ? Number(new Date(n).toISOString().replaceAll(/\D/g, '').slice(0, 14)) : n;
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const change = fc.oneof(
    fc.constant({ kind: 'kept' } as const),
    fc.record({ kind: fc.constant('renamed' as const), to: fc.constantFrom('x', 'y', 'b') }),
    fc.record({ kind: fc.constant('renumbered' as const), to: number }),
    fc.constant({ kind: 'converted' } as const),
    fc.constant({ kind: 'deleted' } as const),
  );
  const old = fc.uniqueArray(
    fc.record({ number, name, change, applied: fc.integer({ max: 9, min: 0 }).map((n) => n > 2) }),
    { selector: (one) => `${one.number}_${one.name}`, maxLength: 7 },
  );
  /** New files: they reuse no number of the tool, and no name of the tool with another kind of number. */
  const fresh = fc.uniqueArray(
    fc.record({ number: fc.integer({ min: 61, max: 90 }), name: fc.constantFrom('new', 'newer') }),
    { selector: (one) => one.number, maxLength: 2 },
  );

  for (const tool of ['node-pg-migrate', 'prisma', 'dbmate', 'goose'] as const) {
    const hasNames = ((one: Tool): one is Named => one === 'node-pg-migrate' || one === 'prisma')(tool);
    it(`of ${tool}: import and up run nothing twice and skip nothing, or the import is refused`, () => {
      let accepted = 0;
      fc.assert(
        fc.property(old, fresh, (olds, news) => {
          // A tool that stores only numbers identifies a migration by its number.
          fc.pre(
            hasNames ||
              (olds.every(({ change: { kind } }) => kind !== 'renumbered' && kind !== 'converted') &&
                new Set(olds.map((one) => one.number)).size === olds.length),
          );
          const files = new Map<string, { readonly wasApplied: boolean }>();
          for (const one of olds) {
            const { change: made, applied } = one;
            if (made.kind === 'deleted') continue;
            const version = `${made.kind === 'renumbered' ? made.to : made.kind === 'converted' ? converted(one.number) : one.number}_${made.kind === 'renamed' ? made.to : one.name}`;
            // A file that took the number and name of another is indistinguishable from it.
            fc.pre(
              !files.has(version) &&
                olds.every((other) => other === one || `${other.number}_${other.name}` !== version),
            );
            files.set(version, { wasApplied: applied });
          }
          // A number that another file has now identifies that file, with a warning if the name differs.
          const gone = new Set(
            olds
              .filter(({ change: { kind } }) => kind === 'deleted' || kind === 'renumbered')
              .map((one) => String(one.number)),
          );
          for (const version of files.keys()) fc.pre(!gone.has(version.split('_')[0] ?? ''));
          for (const one of news) files.set(`${one.number}_${one.name}`, { wasApplied: false });
          const labels = olds
            .filter((one) => one.applied)
            .map((one) => `${one.number}_${one.name}`)
            .sort(compareVersions);
          let result: ImportPlan;
          try {
            result = plan(tool, labels, [...files.keys()]);
          } catch (error) {
            if (error instanceof MigratorError && error.code === 'HISTORY_CONFLICT') return;
            throw error;
          }
          accepted += 1;
          const done = new Set(recorded(result));
          const story = JSON.stringify({ labels, files: [...files], done: [...done] });
          for (const [version, { wasApplied }] of files)
            expect(done.has(version), `${version} in ${story}`).to.equal(wasApplied);
        }),
        { numRuns: 3000 },
      );
      expect(accepted).to.be.greaterThan(100);
    });
  }
});
