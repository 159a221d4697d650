import { createHash } from 'node:crypto';
import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import type { ForeignRow, ImportTool } from '../../src/core/import/foreign-history.ts';
import { placesOf, planImport, type ImportFacts, type ImportPlan } from '../../src/core/import/plan-import.ts';
import { migration, migrations } from '../support/fakes/files.ts';

const COLUMNS: Readonly<Record<ImportTool, string>> = {
  'golang-migrate': 'version dirty',
  goose: 'id version_id is_applied tstamp',
  dbmate: 'version',
  'node-pg-migrate': 'id name run_on',
  flyway: 'installed_rank version description type script checksum installed_by installed_on execution_time success',
  prisma: 'id checksum finished_at migration_name logs rolled_back_at started_at applied_steps_count',
};

function plan(tool: ImportTool, rows: readonly ForeignRow[], more: Partial<ImportFacts> = {}): ImportPlan {
  const table = { name: { schema: 'public', name: 'theirs' }, columns: COLUMNS[tool].split(' '), rows };
  return planImport({
    tool,
    table,
    migrations: migrations('001_a', '002_b', '003_c'),
    applied: [],
    journaled: new Set(),
    ...more,
  });
}

function recorded(tool: ImportTool, rows: readonly ForeignRow[], more: Partial<ImportFacts> = {}): string[] {
  return plan(tool, rows, more).record.map(({ migration: { version } }) => version);
}

/** The problems, shortened. */
function problemsOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    expect(error).to.be.instanceOf(MigratorError).with.property('code', 'HISTORY_CONFLICT');
    return (error as MigratorError).details.problems ?? [];
  }
  throw new Error('accepted');
}

const goose = (...rows: readonly [version: number, applied?: boolean][]): ForeignRow[] =>
  rows.map(([version, applied = true], index) => ({
    id: String(index + 1),
    version_id: String(version),
    is_applied: String(applied),
    tstamp: `2024-01-0${index + 1}T00:00:00`,
  }));

const flyway = (...rows: readonly [version: string | null, description: string, more?: ForeignRow][]): ForeignRow[] =>
  rows.map(([version, description, more], index) => ({
    ...{
      installed_rank: String(index + 1),
      version,
      description,
      type: 'SQL',
      script: `V${version}__${description}.sql`,
      success: 'true',
    },
    ...more,
  }));

describe('planImport', () => {
  describe('of golang-migrate', () => {
    const at = (version: string, dirty = 'false'): ForeignRow[] => [{ version, dirty }];

    it('imports everything up to the version', () => {
      const { record, pending } = plan('golang-migrate', at('2'));
      expect(record.map(({ migration: { version }, label }) => [version, label])).to.deep.equal([
        ['001_a', '1'],
        ['002_b', '2'],
      ]);
      expect(pending).to.deep.equal(['001_a', '002_b', '003_c']);
    });

    it('imports nothing without a row', () => {
      expect(recorded('golang-migrate', [])).to.deep.equal([]);
    });

    it('compares numbers, including those beyond the precision of JavaScript numbers', () => {
      const files = migrations('9_a', '20240101000000001_b', '20240101000000002_c');
      expect(recorded('golang-migrate', at('20240101000000001'), { migrations: files })).to.deep.equal([
        '9_a',
        '20240101000000001_b',
      ]);
    });

    it('is refused when dirty or at a version without a file', () => {
      expect(problemsOf(() => plan('golang-migrate', at('2', 'true')))).to.deep.equal(['version 2 is dirty']);
      expect(problemsOf(() => plan('golang-migrate', at('7')))).to.deep.equal(['7: no file has this number']);
    });
  });

  describe('of goose', () => {
    it('imports each version whose newest row marks it as applied', () => {
      expect(recorded('goose', goose([0], [1], [2], [3], [2, false], [3, false], [3]))).to.deep.equal([
        '001_a',
        '003_c',
      ]);
    });

    it('orders rows by id', () => {
      expect(recorded('goose', goose([1], [1, false]).reverse())).to.deep.equal([]);
    });

    it('keeps the time', () => {
      expect(plan('goose', goose([0], [1])).record[0]).to.include({ appliedAt: '2024-01-02T00:00:00' });
    });
  });

  it('of dbmate imports each number', () => {
    expect(recorded('dbmate', [{ version: '003' }, { version: '1' }])).to.deep.equal(['001_a', '003_c']);
  });

  describe('of node-pg-migrate', () => {
    const run = (name: string): ForeignRow => ({ id: '1', name, run_on: '2024-01-01T00:00:00' });

    it('imports each number, and picks the file by name when two share it', () => {
      const files = migrations('1_a', '1_b-c', '2_d');
      expect(recorded('node-pg-migrate', [run('1_b-c'), run('2_d')], { migrations: files })).to.deep.equal([
        '1_b-c',
        '2_d',
      ]);
      expect(problemsOf(() => plan('node-pg-migrate', [run('1_x')], { migrations: files }))).to.deep.equal([
        '1_x matches several files: 1_a, 1_b-c',
      ]);
    });

    it('warns of a different name', () => {
      expect(plan('node-pg-migrate', [run('1_A'), run('2_x')]).warnings).to.deep.equal([
        '002_b has another name in node-pg-migrate: 2_x',
      ]);
    });

    it('matches a row without a number by name', () => {
      expect(problemsOf(() => plan('node-pg-migrate', [run('users')]))).to.deep.equal(['users: no file has this name']);
    });
  });

  describe('of Flyway', () => {
    it('imports numbers', () => {
      expect(recorded('flyway', flyway(['1', 'a'], ['3', 'c']))).to.deep.equal(['001_a', '003_c']);
    });

    it('matches versions with dots by name', () => {
      const files = migrations('001_init', '002_add_users', '003_add_orders');
      const rows = flyway(['1', 'init'], ['1.1', 'add users'], ['2', 'Add Orders']);
      expect(recorded('flyway', rows, { migrations: files })).to.deep.equal([
        '001_init',
        '002_add_users',
        '003_add_orders',
      ]);
      expect(problemsOf(() => plan('flyway', flyway(['1.1', 'a'], ['1.2', 'A'])))).to.deep.equal([
        '1.1 (a) and 1.2 (A) both match 001_a',
      ]);
    });

    it('handles undone, deleted and schema rows', () => {
      const rows = flyway(
        [null, '<< Flyway Schema Creation >>', { type: 'SCHEMA' }],
        ['1', 'a'],
        ['2', 'b'],
        ['3', 'c'],
        ['2', 'b', { type: 'UNDO_SQL' }],
        ['3', 'c', { type: 'DELETE' }],
      );
      expect(recorded('flyway', rows)).to.deep.equal(['001_a']);
      expect(plan('flyway', rows).warnings).to.deep.equal([]);
    });

    it('imports everything up to a baseline, which needs no file', () => {
      expect(
        recorded('flyway', flyway(['2.0', '<< Flyway Baseline >>', { type: 'BASELINE', version: '2' }])),
      ).to.deep.equal(['001_a', '002_b']);
      for (const dotted of [
        flyway(['2.0', '<< Flyway Baseline >>', { type: 'BASELINE' }]),
        flyway(['2', '<< Flyway Baseline >>', { type: 'BASELINE' }], ['2.1', 'c']),
      ]) {
        expect(problemsOf(() => plan('flyway', dotted))[0]).to.match(
          /^2.* \(<< Flyway Baseline >>\): everything up to it is applied, but with dotted versions/,
        );
      }
      // Flyway reads V2_1 as 2.1; the converted file name starts with 2.
      const files = migrations('001_a', '002_b', '2_1_c');
      expect(
        problemsOf(() =>
          plan('flyway', flyway(['2', '<< Flyway Baseline >>', { type: 'BASELINE' }]), { migrations: files }),
        )[0],
      ).to.include('several files: 002_b, 2_1_c');
    });

    it('is refused when a migration failed, unless it was repaired', () => {
      const failed = flyway(['1', 'a', { success: 'false' }]);
      expect(problemsOf(() => plan('flyway', failed))).to.deep.equal(['version 1 (V1__a.sql) failed']);
      expect(recorded('flyway', [...failed, { ...flyway(['1', 'a'])[0], installed_rank: '2' }])).to.deep.equal([
        '001_a',
      ]);
    });

    it('warns of repeatable scripts', () => {
      const { warnings } = plan(
        'flyway',
        flyway(['1', 'a'], [null, 'views', { script: 'R__views.sql' }], [null, 'views', { script: 'R__views.sql' }]),
      );
      expect(warnings).to.deep.equal([
        'repeatable migrations of Flyway have no counterpart here and are not imported: R__views.sql',
      ]);
    });
  });

  describe('of Prisma', () => {
    const [A] = migrations('001_a') as [ReturnType<typeof migration>];
    const row = (name: string, more: ForeignRow = {}): ForeignRow => ({
      migration_name: name,
      finished_at: '2024-01-01T00:00:00+00:00',
      rolled_back_at: null,
      checksum: A.up.checksum,
      ...more,
    });

    it('imports migrations that finished and were not rolled back', () => {
      const rows = [
        row('001_a'),
        row('002_b', { finished_at: null, rolled_back_at: 'x' }),
        row('003_c', { checksum: migration('003_c').up.checksum }),
      ];
      expect(recorded('prisma', rows)).to.deep.equal(['001_a', '003_c']);
      expect(plan('prisma', rows).warnings).to.deep.equal([]);
    });

    it('is refused when a migration has not finished', () => {
      expect(problemsOf(() => plan('prisma', [row('001_a', { finished_at: null })]))).to.deep.equal([
        '001_a is unfinished',
      ]);
    });

    it('compares the file with its own and with other line ends', () => {
      const windows = migration('001_a', 'SELECT 1;\r\n');
      const sums = [windows.up.checksum, createHash('sha256').update('SELECT 1;\r\n').digest('hex')];
      for (const checksum of sums)
        expect(plan('prisma', [row('001_a', { checksum })], { migrations: [windows] }).warnings).to.deep.equal([]);
    });

    it('warns of a file changed since', () => {
      expect(plan('prisma', [row('001_a', { checksum: '0' })]).warnings).to.deep.equal([
        '001_a.up.sql differs from the text that Prisma has applied',
      ]);
    });
  });

  it('reports every version that does not match exactly one file', () => {
    const files = migrations('001_a', '002_b', '002_c');
    expect(
      problemsOf(() =>
        plan('dbmate', [{ version: '1' }, { version: '2' }, { version: '4' }, { version: '5' }], { migrations: files }),
      ),
    ).to.deep.equal([
      '2 matches several files: 002_b, 002_c',
      '4: no file has this number',
      '5: no file has this number',
    ]);
  });

  it('skips versions without files if they are older than every file', () => {
    const files = migrations('003_c', '004_d');
    const { record, warnings } = plan('dbmate', [{ version: '1' }, { version: '2' }, { version: '3' }], {
      migrations: files,
    });
    expect(record.map(({ migration: { version } }) => version)).to.deep.equal(['003_c']);
    expect(warnings).to.deep.equal([
      'dbmate has applied versions whose files no longer exist, older than every file here: 1, 2',
    ]);
  });

  it('is refused when no file matches because the numbers differ', () => {
    expect(
      problemsOf(() =>
        plan('dbmate', [{ version: '1' }, { version: '2' }], { migrations: migrations('2024_a', '2025_b') }),
      ),
    ).to.have.lengthOf(2);
  });

  it('skips versions that are already recorded or were rolled back since', () => {
    const { record, skipped, pending, warnings } = plan(
      'dbmate',
      ['1', '2', '3'].map((version) => ({ version })),
      {
        applied: [{ version: '001_a' }],
        journaled: new Set(['001_a', '002_b']),
      },
    );
    expect(record.map(({ migration: { version } }) => version)).to.deep.equal(['003_c']);
    expect({ skipped, pending }).to.deep.equal({ skipped: ['001_a'], pending: ['002_b', '003_c'] });
    expect(warnings).to.deep.equal(['002_b was applied and rolled back here since then: it is not recorded again']);
  });

  it("refuses another tool's table", () => {
    const table = { name: { schema: 'public', name: 'x' }, columns: ['version', 'dirty'], rows: [] };
    expect(problemsOf(() => plan('dbmate', [], { table }))).to.deep.equal([
      'its columns are version, dirty: it is a table of golang-migrate',
    ]);
    expect(
      problemsOf(() => plan('goose', [], { table: { ...table, columns: ['version', 'applied_at'] } })),
    ).to.deep.equal(['its columns are version, applied_at']);
  });
});

describe('placesOf', () => {
  it("returns the tool's default table or the named one", () => {
    expect(placesOf('goose', undefined, { name: 'schema_migrations' })).to.deep.equal([{ name: 'goose_db_version' }]);
    expect(placesOf('goose', { schema: 'app', name: 'versions' }, { name: 'schema_migrations' })).to.deep.equal([
      { schema: 'app', name: 'versions' },
    ]);
  });

  it('includes the name that an earlier import moved the table to, when the table has the name of the history table', () => {
    expect(placesOf('dbmate', undefined, { schema: 'app', name: 'schema_migrations' })).to.deep.equal([
      { name: 'schema_migrations' },
      { name: 'schema_migrations_old' },
    ]);
  });
});
