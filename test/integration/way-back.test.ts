/**
 * Rolling back, in detail: warnings about down files, what applies to later runs, and what a start with nothing to do
 * records.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { documentOf } from '../support/json-documents.ts';
import type { Files } from '../support/migrations.ts';
import { createRole } from '../support/roles.ts';
import { useWorkspace } from '../support/workspace.ts';

const FILES: Files = {
  '001_a.up.sql': 'CREATE TABLE a (id int);',
  '001_a.down.sql': 'DROP TABLE a;',
  '003_c.up.sql': 'CREATE TABLE c (id int);',
  '003_c.down.sql': 'DROP TABLE c;',
};

describe('rolling back', () => {
  const workspace = useWorkspace();

  async function run(exit: number, ...args: readonly string[]): Promise<CliResult> {
    const result = await runCli([...args, '--log-format', 'text'], workspace());
    expectExit(result, exit);
    return result;
  }

  beforeEach(async () => {
    await workspace().write(FILES);
    await run(0, 'up');
  });

  it('warns about a down file that cannot run when it is stored; validate reports an error', async () => {
    const downs = {
      '004_d.down.sql': 'DROPP TABLE d;',
      '005_e.down.sql': 'SELECT 1;\nDISCARD ALL;',
      '006_f.down.sql': 'DROP TABLE f;',
    };
    await workspace().write({
      '004_d.up.sql': 'CREATE TABLE d ();',
      '005_e.up.sql': 'CREATE TABLE e ();',
      '006_f.up.sql': 'CREATE TABLE f ();',
      ...downs,
    });
    const { stderr } = await run(0, 'up');
    expect(stderr.match(/warning: .*rolling back will fail with this down file/g)).to.have.length(2);
    expect(stderr)
      .to.match(/warning: 004_d\.down\.sql:1:1: syntax error/)
      .and.match(/warning: 005_e\.down\.sql:2:1: DISCARD ALL/);
    expect((await run(21, 'validate')).stdout)
      .to.match(/004_d\.down\.sql:1:1: error/)
      .and.match(/005_e\.down\.sql:2:1: error/);
  });

  it('with --steps, warns when it rolls back something other than what was applied last', async () => {
    await workspace().write({ '002_b.up.sql': 'CREATE TABLE b ();', '002_b.down.sql': 'DROP TABLE b;' });
    await run(0, 'up');
    const { stderr } = await run(0, 'down', '--steps', '1', '--dry-run');
    expect(stderr).to.match(
      /warning: --steps 1 rolls back 003_c, the newest by version; 002_b, which was applied last \(out of order\), stays: .*--to VERSION/,
    );
    expect((await run(0, 'down', '--steps', '2', '--dry-run')).stderr).to.not.include('out of order');
    expect((await run(0, 'down', '--to', '002_b', '--dry-run')).stderr).to.not.include('out of order');
  });

  it('obeys "irreversible" at once for stored SQL, and in every image once a run has read it', async () => {
    await workspace().write({ '003_c.down.sql': '-- lockstep: irreversible\nDROP TABLE c;' });
    for (const from of [[], ['--from', 'stored'], ['--from', 'files']]) {
      expect((await run(24, 'down', '--to', '001_a', ...from)).stderr).to.include(
        '003_c: its file says "irreversible"',
      );
    }
    const old = join(workspace().dir, 'old');
    await mkdir(old);
    for (const [name, text] of Object.entries(FILES).slice(0, 2)) await writeFile(join(old, name), text);
    const byOld = (): Promise<CliResult> =>
      runCli(['down', '--to-files', '--dry-run'], { env: { ...workspace().env, LOCKSTEP_DIR: old } });
    expectExit(await byOld(), 0);
    await workspace().write({ '004_d.up.sql': 'CREATE TABLE d ();', '004_d.down.sql': 'DROP TABLE d;' });
    await run(0, 'up');
    expect((await byOld()).stderr).to.include('003_c: its file says');
    expect(
      await workspace().query('SELECT down_sql, irreversible FROM schema_migrations_journal WHERE event = $1', [
        'down stored',
      ]),
    ).to.deep.equal([{ down_sql: 'DROP TABLE c;', irreversible: true }]);
    // A file without the directive revokes it, where a person chooses that file.
    await workspace().write({ '003_c.down.sql': 'DROP TABLE c;\n-- again' });
    await run(24, 'down', '--to', '001_a');
    await run(0, 'down', '--to', '001_a', '--from', 'files');
  });

  it('in a dry run of a partly done version, marks the finished statements, and names only the remaining losses', async () => {
    const down = 'ALTER TABLE c DROP COLUMN gone;\nDROP INDEX CONCURRENTLY nope;\nDROP TABLE c;';
    await workspace().query('ALTER TABLE c ADD COLUMN gone int');
    await workspace().write({ '003_c.down.sql': down });
    await run(40, 'down', '--to', '001_a', '--from', 'files');
    const text = await run(0, 'down', '--to', '001_a', '--from', 'files', '--dry-run');
    expect(text.stdout.split('\n').slice(1, 6)).to.deep.equal([
      '  would roll back 003_c',
      '    destroys table c (about 0 rows)',
      '    already done: ALTER TABLE c DROP COLUMN gone;',
      '      DROP INDEX CONCURRENTLY nope;',
      '      DROP TABLE c;',
    ]);
    const { wouldRun } = documentOf(
      'outcome',
      await run(0, 'down', '--to', '001_a', '--from', 'files', '--dry-run', '--json'),
    ) as { wouldRun: { statements: { done: boolean }[] }[] };
    expect(wouldRun[0]!.statements.map(({ done }) => done)).to.deep.equal([true, false, false]);
    // The dry run also refuses a file that does not begin with the finished statements.
    await workspace().write({ '003_c.down.sql': 'DROP TABLE c;' });
    await run(22, 'down', '--to', '001_a', '--from', 'files', '--dry-run');
  });

  it('reports a down file that drops the schema of the tables, and drops nothing', async () => {
    await workspace().write({ '003_c.down.sql': `DROP SCHEMA ${workspace().schema} CASCADE;` });
    const { stderr } = await run(40, 'down', '--to', '001_a', '--from', 'files');
    expect(stderr).to.match(
      /^error: 003_c\.down\.sql drops the tables of Lockstep, or the schema "lockstep_test_\w+" in which they are/m,
    );
    expect(stderr).to.not.include('does not exist');
    expect(await workspace().versions()).to.deep.equal(['001_a', '003_c']);
  });

  describe('a release that has nothing to apply', () => {
    const seen = (): Promise<unknown[]> =>
      workspace().query('SELECT release, command FROM schema_migrations_journal WHERE event = $1 ORDER BY id', [
        'release seen',
      ]);
    const upAs = (release: string): Promise<CliResult> => run(0, 'up', '--release', release);

    it('is recorded on its first run; later runs, wait and a dry run write nothing', async () => {
      await run(0, 'wait', '--release', 'shop/7@2');
      await run(0, 'up', '--dry-run', '--release', 'shop/7@2');
      expect(await seen()).to.deep.equal([]);
      for (const release of ['shop/7@2', 'shop/7@2', 'shop@2', 'shop/7@2', 'shop@2']) await upAs(release);
      await run(0, 'up');
      expect(await seen()).to.deep.equal(['shop/7@2', 'shop@2'].map((release) => ({ release, command: 'up' })));
    });

    it('starts also without permission to record it, and while another session locks the journal', async () => {
      const other = await workspace().client();
      await other.query('BEGIN; LOCK TABLE schema_migrations_journal IN SHARE MODE');
      await upAs('shop/7@2');
      await other.query('ROLLBACK');
      expect(await seen()).to.deep.equal([]);
      const reader = await createRole(workspace(), { grant: 'USAGE' });
      await workspace().query(`GRANT SELECT ON schema_migrations TO ${reader.name}`);
      for (const more of ['SELECT 1', `GRANT SELECT ON schema_migrations_journal TO ${reader.name}`]) {
        await workspace().query(more);
        expectExit(
          await runCli(['up', '--release', 'shop/8@3'], { env: { ...workspace().env, DATABASE_URL: reader.url } }),
          0,
        );
      }
      expect(await seen()).to.deep.equal([]);
    });
  });
});
