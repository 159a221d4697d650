/**
 * Migration directories of other tools' users: each runs unchanged, down and up again, or is refused with the tool's
 * name.
 */
import { expect } from 'chai';

import type { MigratorEvent } from '../../src/core/events.ts';
import { done, down, failure, up } from '../support/running.ts';
import { schemaOf } from '../support/schema.ts';
import { useWorkspace } from '../support/workspace.ts';

/** Files of other tools; each is refused while it is pending. */
const FOREIGN: Readonly<Record<string, string>> = {
  goose: '-- +goose Up\nCREATE TABLE a (x int);\n-- +goose Down\nDROP TABLE a;\n',
  dbmate: '-- migrate:up\nCREATE TABLE a (x int);\n\n-- migrate:down\nDROP TABLE a;\n',
  'graphile-migrate': '--! Previous: -\n--! Hash: sha1:0\n\nCREATE TABLE a (x int);\n',
  Liquibase: '--liquibase formatted sql\n--changeset bob:1\nCREATE TABLE a (x int);\n--rollback DROP TABLE a;\n',
  Flyway: 'CREATE TABLE ${schema}.a (x int);\n',
};

describe('directories of other tools', () => {
  const workspace = useWorkspace();
  const events: MigratorEvent[] = [];
  const reporter = { report: (event: MigratorEvent) => void events.push(event) };
  const warnings = (): string[] => events.flatMap((event) => (event.type === 'warning' ? event.message : []));
  beforeEach(() => events.splice(0));

  it('pair by number: up, down --all, up again, with one warning for all of them', async () => {
    await workspace().write({
      '1_add_a.up.sql': 'CREATE TABLE a (x int PRIMARY KEY);',
      '1_drop_a.down.sql': 'DROP TABLE a;',
      '2_fill.up.sql': 'INSERT INTO a VALUES (1);',
      '2_empty.down.sql': 'DELETE FROM a;',
    });
    expect(done(await up(workspace(), { reporter }))).to.deep.equal(['1_add_a', '2_fill']);
    expect(warnings().filter((message) => message.includes('paired by number'))).to.have.length(1);
    const first = await schemaOf(workspace());
    const [{ name: confirm } = { name: '' }] = await workspace().query<{ name: string }>(
      'SELECT current_database() AS name',
    );
    await down(workspace(), { all: true, confirm });
    expect(await workspace().query(`SELECT to_regclass('a') AS a`)).to.deep.equal([{ a: null }]);
    await up(workspace());
    expect(await schemaOf(workspace())).to.deep.equal(first);
  });

  it('with a file of zero bytes are refused while it is pending; once it has content, it is applied', async () => {
    await workspace().write({ '1_a.up.sql': 'CREATE TABLE a (x int);', '2_b.up.sql': '', '2_b.down.sql': '' });
    const error = await failure('MIGRATIONS_INVALID', up(workspace()));
    expect(error.details.problems).to.deep.equal(['2_b.up.sql: is empty (zero bytes)']);
    expect(await workspace().query(`SELECT to_regclass('a') AS a`)).to.deep.equal([{ a: null }]);
    await workspace().write({ '2_b.up.sql': '-- nothing to do here\n' });
    expect(done(await up(workspace(), { reporter }))).to.deep.equal(['1_a', '2_b']);
    expect(warnings().join()).to.include('2_b.up.sql:1:1: the file contains no statements');
    await workspace().write({ '2_b.up.sql': '-- nothing to do here\n' });
    events.splice(0);
    await down(workspace(), { steps: 1, reporter });
    expect(warnings().join()).to.include('2_b.down.sql:1:1: the file contains no statements');
  });

  for (const [tool, text] of Object.entries(FOREIGN)) {
    it(`with a file of ${tool} under our name are refused while it is pending, and accepted once it is applied`, async () => {
      await workspace().write({ '1_a.up.sql': text });
      const error = await failure('MIGRATIONS_INVALID', up(workspace()));
      expect(error.details.problems?.[0])
        .to.match(/^1_a\.up\.sql:\d+:\d+: /)
        .and.include(tool);
      expect(await workspace().query(`SELECT to_regclass('a') AS a`)).to.deep.equal([{ a: null }]);
      await workspace().query(`INSERT INTO schema_migrations VALUES ('1_a')`);
      await workspace().write({ '2_b.up.sql': 'CREATE TABLE b (x int);' });
      expect(done(await up(workspace()))).to.deep.equal(['2_b']);
    });
  }

  it('with names that another tool would apply cause a warning, and an error with strict', async () => {
    await workspace().write({ '1_a.up.sql': 'CREATE TABLE a (x int);', '2_b.up.go': 'package migrations' });
    expect((await failure('MIGRATIONS_INVALID', up(workspace(), { strict: true }))).details.problems?.[0]).to.include(
      '2_b.up.go',
    );
    await up(workspace(), { reporter });
    expect(warnings().join()).to.include('2_b.up.go');
  });
});

describe('the next step after a move from another tool', () => {
  const workspace = useWorkspace();

  const MADE: Readonly<Record<string, string>> = {
    table: 'CREATE TABLE made (x int)',
    column: 'ALTER TABLE t ADD COLUMN made int',
    index: 'CREATE INDEX made ON t (x)',
    type: `CREATE TYPE made AS ENUM ('a')`,
    function: `CREATE FUNCTION made() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    'schema, statement by statement': '-- lockstep: no-transaction\nCREATE VIEW made AS SELECT 1',
  };
  for (const [what, sql] of Object.entries(MADE)) {
    it(`a ${what} that exists already, on a database without history: baseline and import`, async () => {
      await workspace().query('CREATE TABLE t (x int)');
      await workspace().query(sql.replace(/^--.*\n/, ''));
      await workspace().write({ '1_a.up.sql': sql });
      const { hint } = await failure('MIGRATION_FAILED', up(workspace()));
      expect(hint).to.include('lockstep baseline --to VERSION').and.include('lockstep import --from TOOL');
      await workspace().write({ '1_a.up.sql': 'CREATE TABLE other (x int)' });
      await up(workspace());
      await workspace().write({ '2_b.up.sql': sql });
      expect((await failure('MIGRATION_FAILED', up(workspace()))).hint).to.not.include('baseline');
    });
  }

  for (const [how, directive] of [
    ['in one transaction', ''],
    ['statement by statement', '-- lockstep: no-transaction\n'],
  ]) {
    it(`a down file that fails ${how}, and is corrected: the error suggests --from files at once`, async () => {
      await workspace().write({
        '1_a.up.sql': 'CREATE TABLE a (x int);',
        '1_a.down.sql': `${directive}DROP TABLE aa;`,
      });
      await up(workspace());
      expect((await failure('MIGRATION_FAILED', down(workspace(), { steps: 1 }))).hint).to.include("from: 'files'");
      await workspace().write({ '1_a.down.sql': `${directive}DROP TABLE a;` });
      await failure('ROLLBACK_REFUSED', down(workspace(), { steps: 1 }));
      expect(done(await down(workspace(), { steps: 1, from: 'files' }))).to.deep.equal(['1_a']);
    });
  }

  it('a table that may belong to Rails: the hint names Rails first', async () => {
    await workspace().query('CREATE TABLE schema_migrations (version varchar PRIMARY KEY)');
    await workspace().write({ '1_a.up.sql': 'SELECT 1;' });
    const { hint = '' } = await failure('HISTORY_CONFLICT', up(workspace()));
    expect(hint.indexOf('leave it to Rails'))
      .to.be.greaterThan(-1)
      .and.below(hint.indexOf('lockstep import --from dbmate'));
  });
});
