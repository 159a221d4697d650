/** `import` takes over another tool's history: its own table, renamed files, and one command. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { closeGate } from '../support/gate.ts';
import { eventually } from '../support/bounded.ts';
import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { FOREIGN_TABLES } from '../support/foreign-tables.ts';
import { documentOf } from '../support/json-documents.ts';
import { createRole } from '../support/roles.ts';
import { stateOf } from '../support/state.ts';

const VERSIONS = versionsOf(FIVE_FILES);

/** The table of each tool after it has applied the first three files. */
const THREE: Readonly<Record<string, { readonly table: string; readonly rows: string; readonly columns: string }>> = {
  'golang-migrate': { table: 'schema_migrations', columns: FOREIGN_TABLES['golang-migrate']!, rows: '(3, false)' },
  goose: {
    table: 'goose_db_version',
    columns: FOREIGN_TABLES['goose']!,
    rows: `(1, 0, true, '2024-01-31'), (2, 1, true, '2024-02-01'), (3, 2, true, '2024-02-02'), (4, 3, true, '2024-02-03')`,
  },
  dbmate: { table: 'schema_migrations', columns: FOREIGN_TABLES['dbmate']!, rows: `('001'), ('002'), ('003')` },
  'node-pg-migrate': {
    table: 'pgmigrations',
    columns: FOREIGN_TABLES['node-pg-migrate']!,
    rows: `(1, '001_accounts', '2024-02-01'), (2, '002_orders', '2024-02-02'), (3, '003_first-orders', '2024-02-03')`,
  },
  flyway: {
    table: 'flyway_schema_history',
    columns: FOREIGN_TABLES['Flyway']!,
    rows: ['accounts', 'orders', 'first orders']
      .map(
        (name, index) =>
          `(${index + 1}, '${index + 1}', '${name}', 'SQL', 'V${index + 1}__x.sql', 1, 'me', '2024-02-0${index + 1}', 5, true)`,
      )
      .join(', '),
  },
  prisma: {
    table: '_prisma_migrations',
    columns: FOREIGN_TABLES['Prisma']!,
    rows: VERSIONS.slice(0, 3)
      .map((version, index) => `('${index}', '0', '2024-02-0${index + 1} 12:00+00', '${version}')`)
      .join(', '),
  },
};

describe('import', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  /** The command must exit with `exit`. */
  async function run(exit: number, ...args: string[]): Promise<CliResult> {
    const result = await runCli(args, workspace());
    expectExit(result, exit);
    return result;
  }

  const query = (sql: string) => workspace().query(sql);

  async function make(tool: string): Promise<void> {
    for (const version of VERSIONS.slice(0, 3)) await query(FIVE_FILES[`${version}.up.sql`]!);
    await makeTable(tool);
  }

  async function makeTable(tool: string): Promise<void> {
    const { table, columns, rows } = THREE[tool]!;
    await query(`CREATE TABLE ${table} (${columns})`);
    await query(`INSERT INTO ${table} VALUES ${rows}`);
  }

  for (const tool of Object.keys(THREE)) {
    it(`--from ${tool} records the versions that the tool has applied, and up applies the rest`, async () => {
      await make(tool);
      const first = await run(0, 'import', '--from', tool);
      expect(first.stdout).to.equal(
        `${VERSIONS.slice(0, 3)
          .map((version) => `  import ${version}\n`)
          .join('')}Done.\n`,
      );
      expect(await workspace().versions()).to.deep.equal(VERSIONS.slice(0, 3));
      await run(0, 'up');
      expect(await query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
      const again = await run(0, 'import', '--from', tool, '--json');
      expect(documentOf('outcome', again)).to.deep.include({
        command: 'import',
        done: [],
        skipped: VERSIONS.slice(0, 3),
        pending: [],
      });
    });
  }

  it("renames the other tool's table when it has the name of the history, keeps its rows, and reports it", async () => {
    await make('dbmate');
    const [before] = await query(`SELECT 'schema_migrations'::regclass::oid AS oid`);
    const { logs } = await run(0, 'import', '--from', 'dbmate');
    expect(logs.find(({ event }) => event === 'table.renamed')).to.include({
      table: 'schema_migrations',
      to: 'schema_migrations_old',
    });
    expect(await query(`SELECT 'schema_migrations_old'::regclass::oid AS oid`)).to.deep.equal([before]);
    expect(await query('SELECT version FROM schema_migrations_old ORDER BY 1')).to.deep.equal([
      { version: '001' },
      { version: '002' },
      { version: '003' },
    ]);
  });

  it('does not rename a table with another name, and finds it in another schema', async () => {
    await make('golang-migrate');
    const table = `${workspace().schema}.lockstep_migrations`;
    await run(0, 'import', '--from', 'golang-migrate', '--table', table);
    expect(await workspace().versions('lockstep_migrations')).to.deep.equal(VERSIONS.slice(0, 3));
    expect(await query('SELECT * FROM schema_migrations')).to.deep.equal([{ version: '3', dirty: false }]);
    await query(`ALTER TABLE schema_migrations RENAME TO their_migrations`);
    await run(0, 'import', '--from', 'golang-migrate', '--from-table', `${workspace().schema}.their_migrations`);
    expect(await workspace().versions()).to.deep.equal(VERSIONS.slice(0, 3));
  });

  it('keeps the time at which each version was applied, and its down SQL', async () => {
    await make('goose');
    await run(0, 'import', '--from', 'goose');
    const rows = await query(
      `SELECT version, (applied_at AT TIME ZONE current_setting('TimeZone'))::date::text AS day FROM schema_migrations ORDER BY 1`,
    );
    expect(rows.map(({ day }) => day)).to.deep.equal(['2024-02-01', '2024-02-02', '2024-02-03']);
    const stored = await query(
      `SELECT version, down_sql, command FROM schema_migrations_journal WHERE event = 'baselined' ORDER BY version`,
    );
    expect(stored).to.deep.equal(
      VERSIONS.slice(0, 3).map((version) => ({
        version,
        down_sql: FIVE_FILES[`${version}.down.sql`],
        command: 'import',
      })),
    );
  });

  it('prints what it would record in a dry run, and changes nothing', async () => {
    await make('dbmate');
    const before = await stateOf(workspace());
    const { stdout } = await run(0, 'import', '--from', 'dbmate', '--dry-run');
    expect(stdout).to.equal(
      `${VERSIONS.slice(0, 3)
        .map((version) => `  would import ${version}\n`)
        .join('')}Dry run: nothing was changed.\n`,
    );
    expect(documentOf('outcome', await run(0, 'import', '--from', 'dbmate', '--dry-run', '--json'))).to.deep.include({
      dryRun: true,
      done: [],
      notRun: VERSIONS.slice(0, 3),
      pending: VERSIONS,
    });
    expect(await stateOf(workspace())).to.deep.equal(before);
  });

  /** The refusal must leave everything unchanged. */
  async function refused(exit: number, ...args: string[]): Promise<string> {
    const before = await stateOf(workspace());
    const { stderr } = await run(exit, 'import', ...args);
    expect(await stateOf(workspace())).to.deep.equal(before);
    return stderr;
  }

  it('is refused when the other tool has not finished, or when its versions differ from the files', async () => {
    await make('golang-migrate');
    await query('UPDATE schema_migrations SET dirty = true');
    expect(await refused(22, '--from', 'golang-migrate'))
      .to.include('version 3 is dirty')
      .and.include('migrate force');
    await query('UPDATE schema_migrations SET dirty = false, version = 8');
    expect(await refused(22, '--from', 'golang-migrate')).to.include('8: no file has this number');
  });

  it('is refused when the table does not exist or belongs to a different tool', async () => {
    expect(await refused(20, '--from', 'goose'))
      .to.include('goose_db_version')
      .and.include('--from-table');
    await make('golang-migrate');
    expect(await refused(22, '--from', 'dbmate')).to.include('golang-migrate');
    expect(await refused(20, '--from', 'rails')).to.include('dbmate');
    expect(await refused(20)).to.include('--from: needed');
    // An unrelated table has the name of the history, and is not the table to import.
    await makeTable('goose');
    expect(await refused(22, '--from', 'goose')).to.include('schema_migrations belongs to golang-migrate');
  });

  it('is refused when the new name of the table is taken', async () => {
    await make('dbmate');
    await query('CREATE TABLE schema_migrations_old (x int)');
    expect(await refused(22, '--from', 'dbmate')).to.include('schema_migrations_old');
    expect(await refused(22, '--from', 'dbmate', '--dry-run')).to.include('schema_migrations_old');
  });

  it('needs only SELECT on the table; renaming it needs its owner', async () => {
    await make('goose');
    await makeTable('dbmate');
    const role = await createRole(workspace());
    await query(`GRANT SELECT ON goose_db_version, schema_migrations TO ${role.name}`);
    const stderr = await refused(23, '--from', 'dbmate', '--role', role.name);
    expect(stderr).to.include('only its owner can rename it');
    expect((await run(0, 'import', '--from', 'goose', '--table', 'ours', '--role', role.name)).stdout).to.include(
      '  import 003_first_orders',
    );
  });

  it('is suggested by every other command', async () => {
    await make('dbmate');
    const { stderr } = await run(22, 'up');
    expect(stderr).to.include(`lockstep import --from dbmate --from-table ${workspace().schema}.schema_migrations`);
  });

  it('waits while the other tool writes its table, and then reads the table again', async () => {
    await make('goose');
    const other = await workspace().client();
    await other.query('BEGIN');
    await other.query('INSERT INTO goose_db_version (id, version_id, is_applied) VALUES (5, 4, true)');
    const work = run(32, 'import', '--from', 'goose');
    await eventually(
      'the import to wait for the table',
      async () =>
        (await query(`SELECT FROM pg_locks WHERE relation = 'goose_db_version'::regclass AND NOT granted`)).length ===
        1,
    );
    await other.query('COMMIT');
    expect((await work).stderr).to.include('was written to while it was read');
    expect((await run(0, 'import', '--from', 'goose')).stdout).to.include('  import 004_bonus');
  });

  it('waits for a runner that holds the lock', async () => {
    await make('goose');
    const gate = await closeGate(workspace());
    await workspace().write({ '000_gate.up.sql': gate.sql });
    const up = runCli(['up', '--to', '000_gate'], workspace());
    await gate.arrived();
    expect((await run(31, 'import', '--from', 'goose', '--lock-wait', '0')).stderr).to.include('lockstep up');
    await gate.open();
    expectExit(await up, 0);
    expect((await run(0, 'import', '--from', 'goose')).stdout).to.include('  import 003_first_orders');
  });

  describe('--files', () => {
    const OLD = {
      '00001_accounts.sql': '-- +goose Up\nCREATE TABLE accounts (x int);\n-- +goose Down\nDROP TABLE accounts;\n',
      '00002_fill.sql':
        '-- +goose Up\n-- +goose StatementBegin\nINSERT INTO accounts VALUES (1)\n-- +goose StatementEnd\n-- +goose Down\nDELETE FROM accounts;\n',
    };
    let from = '';
    let to = '';
    beforeEach(async () => {
      from = join(workspace().dir, 'old');
      to = join(workspace().dir, 'made', 'new');
      await mkdir(from);
      for (const [name, text] of Object.entries(OLD)) await writeFile(join(from, name), text);
    });
    const convert = (exit: number, ...more: string[]) =>
      run(exit, 'import', '--files', from, '--from', 'goose', '--dir', to, ...more);

    it('writes the files once, without a database; a dry run only prints their names', async () => {
      const env = { PATH: workspace().env['PATH'] ?? '' };
      const dry = await runCli(['import', '--files', from, '--from', 'goose', '--dir', to, '--dry-run'], { env });
      expectExit(dry, 0);
      expect(dry.stdout)
        .to.match(/^ {2}would write 00001_accounts\.down\.sql\n/)
        .and.match(/Dry run: nothing was written\.\n$/);
      expect(existsSync(to)).to.equal(false);
      expect(documentOf('convert', await convert(0, '--json'))).to.deep.include({
        dryRun: false,
        files: ['00001_accounts.down.sql', '00001_accounts.up.sql', '00002_fill.down.sql', '00002_fill.up.sql'],
      });
      expect((await convert(21)).stderr)
        .to.include('00001_accounts.up.sql')
        .and.include('nothing was written');
      await run(0, 'validate', '--dir', to);
      await run(0, 'up', '--dir', to);
      expect(await query('SELECT x FROM accounts')).to.deep.equal([{ x: 1 }]);
      const [{ name: database } = { name: '' }] = await workspace().query<{ name: string }>(
        'SELECT current_database() AS name',
      );
      await run(0, 'down', '--dir', to, '--all', '--confirm', database);
      expect(await query(`SELECT to_regclass('accounts') AS a`)).to.deep.equal([{ a: null }]);
    });

    it('is followed by an import of the history', async () => {
      await convert(0);
      await query(`CREATE TABLE goose_db_version (${FOREIGN_TABLES['goose']!})`);
      await query(`INSERT INTO goose_db_version VALUES (1, 0, true, now()), (2, 1, true, now())`);
      await query('CREATE TABLE accounts (x int)');
      await run(0, 'import', '--from', 'goose', '--dir', to);
      expect((await run(0, 'up', '--dir', to)).stdout).to.include('  up 00002_fill');
      expect(await query('SELECT x FROM accounts')).to.deep.equal([{ x: 1 }]);
    });

    it('exits with 20 for invalid settings, and with 21 when a file has no counterpart', async () => {
      expect((await run(20, 'import', '--files', from, '--from', 'golang-migrate', '--dir', to)).stderr).to.include(
        'can stay as they are',
      );
      expect((await run(20, 'import', '--from', 'graphile-migrate')).stderr).to.include('--files OLD_DIR');
      expect((await run(20, 'import', '--files', from, '--from', 'goose', '--dir', `${from}/`)).stderr).to.include(
        'same directory',
      );
      expect((await run(20, 'import', '--files', from)).stderr).to.include('--from: needed');
      await run(21, 'import', '--files', join(from, 'gone'), '--from', 'goose', '--dir', to);
      await writeFile(join(from, '00003_c.go'), 'package migrations');
      expect((await convert(21)).stderr).to.include('00003_c.go:1: ');
      expect(existsSync(to)).to.equal(false);
    });
  });
});
