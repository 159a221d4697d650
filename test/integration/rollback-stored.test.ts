/** Any image can roll back, even one that lacks the files, with the down SQL that the journal has stored. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { checksum } from '../../src/core/migration.ts';
import { runCli } from '../support/cli.ts';
import { FIVE_FILES, versionsOf, type Files } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { documentOf } from '../support/json-documents.ts';
import { done, down, failure, up } from '../support/running.ts';
import { schemaOf } from '../support/schema.ts';
import { stateOf } from '../support/state.ts';

/** The newest three need a transaction, a statement outside a transaction, and directives. */
const FILES: Files = {
  ...FIVE_FILES,
  '006_view.up.sql': 'CREATE VIEW rich AS SELECT * FROM orders WHERE total > 50;',
  '006_view.down.sql': 'DROP VIEW rich;',
  '007_index.up.sql': 'CREATE INDEX CONCURRENTLY orders_total ON orders (total);',
  '007_index.down.sql': "-- it's an index, and a \\ backslash\r\nDROP INDEX CONCURRENTLY orders_total;",
  '008_status.up.sql':
    "ALTER TABLE orders ADD COLUMN status text NOT NULL DEFAULT 'new';\nCREATE TABLE log (id int);\nINSERT INTO log SELECT generate_series(1, 7);",
  '008_status.down.sql': '-- lockstep: lock-timeout=3s\nDROP TABLE log;\nALTER TABLE orders DROP COLUMN status;',
};
const VERSIONS = versionsOf(FILES);
const OLD_FILES: Files = Object.fromEntries(Object.entries(FILES).filter(([name]) => name < '006'));

describe('rolling back from stored SQL', () => {
  const workspace = useWorkspace();

  /** The migration directory of another image. */
  async function image(name: string, files: Files): Promise<string> {
    const dir = join(workspace().dir, name);
    await mkdir(dir);
    for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text);
    return dir;
  }

  const applyAll = async (): Promise<unknown> =>
    up(workspace(), { dir: await image('new', FILES), release: 'shop/7@2' });

  for (const target of [{ to: '005_order_notes' }, { toFiles: true }, { steps: 3 }]) {
    it(`rolls back the newest three in an image without their files: ${JSON.stringify(target)}`, async () => {
      const dir = await image('old', OLD_FILES);
      await up(workspace(), { dir });
      const before = await schemaOf(workspace());
      await applyAll();
      expect(await schemaOf(workspace())).to.not.deep.equal(before);
      const outcome = await down(workspace(), { dir, ...target });
      expect(done(outcome)).to.deep.equal(['008_status', '007_index', '006_view']);
      expect(await schemaOf(workspace())).to.deep.equal(before);
      expect(await workspace().versions()).to.deep.equal(VERSIONS.slice(0, 5));
      expect(await workspace().journalCounts('rolled back')).to.deep.equal({
        '006_view': 1,
        '007_index': 1,
        '008_status': 1,
      });
      expect(await workspace().journalCounts('statement done'), 'outside a transaction').to.include({ '007_index': 2 });
    });
  }

  it('shows in a dry run the SQL in order, its source, and what it would destroy; and changes nothing', async () => {
    const dir = await image('old', {
      ...OLD_FILES,
      '006_view.up.sql': FILES['006_view.up.sql']!,
      '006_view.down.sql': FILES['006_view.down.sql']!,
    });
    await applyAll();
    await workspace().query('ANALYZE log');
    await workspace().query('ANALYZE orders');
    const before = await stateOf(workspace());
    const args = ['down', '--to', '005_order_notes', '--dir', dir, '--dry-run'];
    const result = await runCli([...args, '--json'], workspace());
    const { wouldRun } = documentOf('outcome', result) as {
      wouldRun: { version: string; source: string; sql: string; losses: unknown[] }[];
    };
    expect(wouldRun.map(({ version, source }) => `${version} ${source}`)).to.deep.equal([
      '008_status stored',
      '007_index stored',
      '006_view file',
    ]);
    expect(wouldRun.map(({ version, sql }) => sql === FILES[`${version}.down.sql`])).to.deep.equal([true, true, true]);
    expect(wouldRun[0]!.losses).to.deep.equal([
      { kind: 'table', name: 'log', rows: 7 },
      { kind: 'column', name: 'orders', column: 'status', rows: 10 },
    ]);
    const { stdout } = await runCli(args, workspace());
    expect(stdout).to.contain('would roll back 008_status, with the down SQL stored when it was applied');
    expect(stdout).to.contain(
      '    destroys table log (about 7 rows)\n    destroys column status of orders (about 10 rows)\n      -- lockstep: lock-timeout=3s\n      DROP TABLE log;',
    );
    expect(await stateOf(workspace())).to.deep.equal(before);
  });

  it('estimates the rows of a partitioned table from its analysed partitions; a missing table has no estimate', async () => {
    await workspace().write({
      '001_parts.up.sql': `CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts SELECT generate_series(1, 150);`,
      '001_parts.down.sql': 'DROP TABLE IF EXISTS nobody;\nDROP TABLE parts;',
    });
    await up(workspace());
    for (const table of ['parts_1', 'parts_2']) await workspace().query(`ANALYZE ${table}`);
    const { wouldRun } = await down(workspace(), { steps: 1, dryRun: true });
    expect(wouldRun![0]!.losses).to.deep.equal([
      { kind: 'table', name: 'nobody' },
      { kind: 'table', name: 'parts', rows: 150 },
    ]);
  });

  it('is refused where file and stored text differ, and shows both; --from chooses', async () => {
    await applyAll();
    const dir = await image('edited', {
      ...FILES,
      '008_status.down.sql': 'DROP TABLE log;\nALTER TABLE orders DROP COLUMN status CASCADE;',
    });
    const refused = await runCli(['down', '--steps', '1', '--dir', dir, '--log-format', 'text'], workspace());
    expect(refused.code).to.equal(24);
    expect(refused.stderr).to.match(
      /-- lockstep: lock-timeout=3s\n.*\n.*- ALTER TABLE orders DROP COLUMN status;\n.*\+ ALTER TABLE orders DROP COLUMN status CASCADE;/,
    );
    expect(refused.stderr).to.contain('--from stored').and.contain('--from files');
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
    const files = await down(workspace(), { dir, steps: 1, from: 'files', dryRun: true });
    expect(files.wouldRun![0]).to.include({
      source: 'file',
      sql: 'DROP TABLE log;\nALTER TABLE orders DROP COLUMN status CASCADE;',
    });
    await down(workspace(), { dir, steps: 1, from: 'stored' });
    const [row] = await workspace().query(`SELECT checksum FROM schema_migrations_journal WHERE event = 'rolled back'`);
    expect(row).to.deep.equal({ checksum: checksum(FILES['008_status.down.sql']!) });
  });

  it('is refused as a whole when one version has no down script or is irreversible, also without its file', async () => {
    await applyAll();
    const more = {
      ...FILES,
      '009_gone.up.sql': 'DROP TABLE notes;',
      '010_never.up.sql': '-- lockstep: irreversible\nSELECT 1;',
      '010_never.down.sql': 'SELECT 1;',
    };
    await up(workspace(), { dir: await image('newer', more) });
    const dir = await image('old', OLD_FILES);
    const error = await failure('ROLLBACK_REFUSED', down(workspace(), { dir, toFiles: true }));
    expect(error.details.problems).to.have.length(2);
    expect(error.details.problems!.join('\n'))
      .to.match(/010_never.*irreversible/)
      .and.match(/009_gone.*no down script when it was applied/);
    expect(await workspace().versions()).to.have.length(10);
  });

  it('works for versions that the original Go runner applied, once an up by Lockstep has held the lock', async () => {
    await workspace().query(
      'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    await workspace().query('CREATE TABLE accounts (id int)');
    await workspace().query(`INSERT INTO schema_migrations (version) VALUES ('001_accounts')`);
    const files = {
      '001_accounts.up.sql': 'CREATE TABLE accounts (id int);',
      '001_accounts.down.sql': 'DROP TABLE accounts;',
      '002_x.up.sql': 'CREATE TABLE x (id int);',
      '002_x.down.sql': 'DROP TABLE x;',
    };
    const [first, empty] = [await image('go', files), await image('without', {})];
    const all = {
      all: true,
      confirm: (await workspace().query<{ name: string }>('SELECT current_database() AS name'))[0]!.name,
    };
    await failure('ROLLBACK_REFUSED', down(workspace(), { dir: empty, allowEmpty: true, ...all }));
    await up(workspace(), { dir: first });
    expect(await workspace().journalCounts('down stored')).to.deep.equal({ '001_accounts': 1 });
    expect(done(await down(workspace(), { dir: empty, allowEmpty: true, ...all }))).to.deep.equal([
      '002_x',
      '001_accounts',
    ]);
    expect(await schemaOf(workspace())).to.deep.include({ rows: {} });
  });

  it('completes a journal that an early version created, and can read it before', async () => {
    const dir = await image('new', FILES);
    await up(workspace(), { dir, to: '006_view' });
    const indexes = (): Promise<unknown> =>
      workspace().query(`SELECT indexname FROM pg_indexes WHERE tablename = 'schema_migrations_journal' ORDER BY 1`);
    const made = await indexes();
    await workspace().query(
      'ALTER TABLE schema_migrations_journal DROP COLUMN irreversible, DROP COLUMN hold, DROP COLUMN file, DROP COLUMN line, DROP COLUMN sqlstate',
    );
    const old = await image('old', OLD_FILES);
    expect((await runCli(['status', '--dir', old, '--json'], workspace())).code).to.equal(0);
    expect(JSON.parse((await runCli(['history', '--json'], workspace())).stdout)).to.have.property('entries').that.is
      .not.empty;
    expect(done(await down(workspace(), { dir: old, toFiles: true, release: 'shop/8@1' }))).to.deep.equal(['006_view']);
    await up(workspace(), { dir, release: 'shop/9@2' });
    expect(
      await workspace().query(
        'SELECT DISTINCT irreversible FROM schema_migrations_journal WHERE irreversible IS NOT NULL',
      ),
    ).to.deep.equal([{ irreversible: false }]);
    expect(await indexes()).to.deep.equal(made);
  });

  it('resumes from the stored text after a run with it was killed', async () => {
    await applyAll();
    const dir = await image('old', OLD_FILES);
    await down(workspace(), { dir, steps: 1 });
    // The state that a run leaves when it dies after it dropped the index.
    const text = 'DROP INDEX CONCURRENTLY orders_total';
    await workspace().query('DROP INDEX orders_total');
    await workspace().query(
      `INSERT INTO schema_migrations_journal (run, event, version, direction, statement, checksum) VALUES (gen_random_uuid(), 'statement started', '007_index', 'down', 1, $1)`,
      [checksum(text)],
    );
    const reporter = new Recorder();
    expect(done(await down(workspace(), { dir, to: '006_view', reporter }))).to.deep.equal(['007_index']);
    expect(await workspace().versions()).to.deep.equal(VERSIONS.slice(0, 6));
    await rm(dir, { recursive: true });
  });
});
