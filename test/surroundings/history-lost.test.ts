/** A history that was emptied from outside while its journal is complete: nothing runs, in either direction. */
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { stateOf } from '../support/state.ts';
import { done, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

const FILES = {
  '001_a.up.sql': 'CREATE TABLE a (x int);',
  '001_a.down.sql': 'DROP TABLE a;',
  '002_b.up.sql': 'CREATE TABLE IF NOT EXISTS b (x int); INSERT INTO b VALUES (1);',
  '002_b.down.sql': 'DROP TABLE b;',
  '003_c.up.sql': 'CREATE TABLE c (x int);',
  '003_c.down.sql': 'DROP TABLE c;',
};

const LOSSES: Readonly<Record<string, string>> = {
  TRUNCATE: 'TRUNCATE schema_migrations',
  'DELETE of all rows': 'DELETE FROM schema_migrations',
  'DROP TABLE': 'DROP TABLE schema_migrations',
  "replacement by the original Go runner's table": `DROP TABLE schema_migrations; CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
};

describe('a lost history', () => {
  const workspace = useWorkspace();

  beforeEach(async () => {
    await workspace().write(FILES);
    await up(workspace());
  });

  const COMMANDS: Readonly<Record<string, () => string[]>> = {
    up: () => ['up'],
    'up --to': () => ['up', '--to', '001_a'],
    'up --dry-run': () => ['up', '--dry-run'],
    'down --steps': () => ['down', '--steps', '1'],
    'down --steps --dry-run': () => ['down', '--steps', '1', '--dry-run'],
    'down --to': () => ['down', '--to', '001_a'],
    'down --to-files': () => ['down', '--to-files'],
    'down --all': () => ['down', '--all', '--confirm', new URL(workspace().url).pathname.slice(1)],
    'down --all --dry-run': () => [
      'down',
      '--all',
      '--confirm',
      new URL(workspace().url).pathname.slice(1),
      '--dry-run',
    ],
  };

  for (const [loss, sql] of Object.entries(LOSSES)) {
    it(`after ${loss} makes ${Object.keys(COMMANDS).join(', ')} exit with 22, and leaves rows and journal unchanged`, async () => {
      await workspace().query(sql);
      const before = await stateOf(workspace());
      for (const [what, command] of Object.entries(COMMANDS)) {
        const result = await runCli(command(), workspace());
        expectExit(result, 22);
        expect(result.stderr, what).to.include('001_a, 002_b, 003_c').and.include('repair');
        expect(await stateOf(workspace()), what).to.deep.equal(before);
      }
    });
  }

  for (const [loss, sql] of Object.entries(LOSSES)) {
    it(`after ${loss} is repaired: versions are recorded again from the journal, or treated as not applied`, async () => {
      const before = await workspace().query('SELECT version, checksum FROM schema_migrations ORDER BY version');
      await workspace().query(sql);
      expectExit(await runCli(['repair'], workspace()), 0);
      expect(
        await workspace()
          .query(`SELECT count(*)::int AS n FROM schema_migrations`)
          .catch(() => [{ n: 0 }]),
      ).to.deep.equal([{ n: 0 }]);
      const restored = await runCli(['repair', '--history', 'journal'], workspace());
      expectExit(restored, 0);
      expect(restored.stdout).to.include('repair 003_c: record it again');
      expect(await workspace().query('SELECT version, checksum FROM schema_migrations ORDER BY version')).to.deep.equal(
        before,
      );
      expectExit(await runCli(['down', '--steps', '1', '--no-hold', '--from', 'stored'], workspace()), 0);
      await workspace().query('TRUNCATE schema_migrations; DROP TABLE a, b');
      expectExit(await runCli(['repair', '--history', 'empty'], workspace()), 0);
      expect(done(await up(workspace()))).to.deep.equal(['001_a', '002_b', '003_c']);
    });
  }

  it('is detected when only its newest version had been rolled back, and not when all had been', async () => {
    expectExit(await runCli(['down', '--steps', '1', '--no-hold'], workspace()), 0);
    const { rows } = { rows: await workspace().query('SELECT * FROM schema_migrations') };
    await workspace().query('TRUNCATE schema_migrations');
    expect((await runCli(['up'], workspace())).stderr)
      .to.include('001_a, 002_b')
      .and.not.include('003_c,');
    await workspace().query(
      'INSERT INTO schema_migrations SELECT * FROM json_populate_recordset(NULL::schema_migrations, $1)',
      [JSON.stringify(rows)],
    );
    expectExit(
      await runCli(
        ['down', '--all', '--confirm', new URL(workspace().url).pathname.slice(1), '--no-hold'],
        workspace(),
      ),
      0,
    );
    expect(done(await up(workspace()))).to.deep.equal(['001_a', '002_b', '003_c']);
  });

  it('is detected when baseline had recorded its versions', async () => {
    await workspace().query('DROP TABLE schema_migrations, schema_migrations_journal, a, b, c');
    expectExit(await runCli(['baseline', '--to', '002_b'], workspace()), 0);
    await workspace().query('TRUNCATE schema_migrations');
    expectExit(await runCli(['up'], workspace()), 22);
  });

  it('is not assumed when single rows are missing: those versions are applied again', async () => {
    await workspace().query(`DELETE FROM schema_migrations WHERE version <> '001_a'; DROP TABLE b, c`);
    expect(done(await up(workspace()))).to.deep.equal(['002_b', '003_c']);
    expect(await workspace().journalCounts('applied')).to.deep.equal({ '001_a': 1, '002_b': 2, '003_c': 2 });
  });

  it('is not assumed when the only version is missing: it is applied again', async () => {
    expectExit(await runCli(['down', '--to', '001_a', '--no-hold'], workspace()), 0);
    await workspace().query('TRUNCATE schema_migrations; DROP TABLE a');
    expect(done(await up(workspace()))).to.deep.equal(['001_a', '002_b', '003_c']);
  });

  it('is not assumed when both tables are missing: the database has no history', async () => {
    await workspace().query('DROP TABLE schema_migrations, schema_migrations_journal, a, b, c');
    expect(done(await up(workspace()))).to.deep.equal(['001_a', '002_b', '003_c']);
  });
});
