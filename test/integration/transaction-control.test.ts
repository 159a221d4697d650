/** Files that end the migration's transaction themselves: Lockstep reports exactly what they did. */
import { expect } from 'chai';
import pg from 'pg';

import { Wire } from '../../src/adapters/postgres/wire/wire.ts';
import { useWorkspace } from '../support/workspace.ts';
import { failure, up } from '../support/running.ts';

/** Larger than 1 MB with the SQL: not parsed, so Lockstep does not find the transaction control in it beforehand. */
const PADDING = `-- ${'x'.repeat(100)}\n`.repeat(10_300);

describe('transaction control inside a migration', () => {
  const workspace = useWorkspace();

  for (const text of [
    'COMMIT;',
    'SELECT 1; ROLLBACK; SELECT 2;',
    'BEGIN; SELECT 1; COMMIT; COMMIT;',
    'COMMIT AND CHAIN;',
    `PREPARE TRANSACTION 'x';`,
  ]) {
    it(`is refused before anything runs: ${text}`, async () => {
      await workspace().write({ '001_a.up.sql': 'CREATE TABLE a (x int);', '002_b.up.sql': text });
      const error = await failure('MIGRATIONS_INVALID', up(workspace()));
      expect(error.details.problems?.[0]).to.match(/^002_b\.up\.sql:1:\d+: /);
      expect(await workspace().query(`SELECT to_regclass('a') AS a`)).to.deep.equal([{ a: null }]);
    });
  }

  it('in a file too large to be parsed: a ROLLBACK undoes the history row, and the run fails', async () => {
    await workspace().write({
      '001_a.up.sql': `${PADDING}CREATE TABLE a (x int);\nROLLBACK;\nCREATE TABLE b (x int);`,
    });
    await failure('MIGRATION_FAILED', up(workspace()));
    expect(await workspace().versions()).to.deep.equal([]);
    expect(await workspace().journalCounts('applied')).to.deep.equal({});
    expect(await workspace().query(`SELECT to_regclass('a') AS a, to_regclass('b') AS b`)).to.deep.equal([
      { a: null, b: null },
    ]);
  });

  it('in a file too large to be parsed: after a COMMIT in its middle, a failure is not reported as rolled back', async () => {
    await workspace().write({ '001_a.up.sql': `${PADDING}CREATE TABLE a (x int);\nCOMMIT;\nSELECT 1/0;` });
    const error = await up(workspace()).then(
      () => undefined,
      (thrown: unknown) => thrown as { hint?: string },
    );
    expect(error).to.not.equal(undefined);
    const kept = (await workspace().query<{ a: string | null }>(`SELECT to_regclass('a')::text AS a`))[0]!.a !== null;
    expect({ kept, saysNothingWasApplied: error?.hint?.includes('nothing of it was applied') }).to.not.deep.equal({
      kept: true,
      saysNothingWasApplied: true,
    });
  });

  it('a COMMIT that the server answers with ROLLBACK is a failure', async () => {
    const client = new pg.Client({ connectionString: workspace().serverUrl });
    await client.connect();
    workspace().defer(() => client.end());
    const wire = new Wire(client);
    await failure('INTERNAL', wire.asIs('BEGIN; SELECT 1/0'));
    const error = await failure('MIGRATION_FAILED', wire.transactionAsIs('COMMIT'));
    expect(error.summary).to.include('rolled the transaction back');
  });
});

describe('statements that the server refuses to run in this transaction', () => {
  const workspace = useWorkspace();

  it('25001 in a file that is too large to be split: the hint does not suggest what cannot help', async () => {
    const large = `-- lockstep: no-transaction\n${'-- filling\n'.repeat(200_000)}`;
    await workspace().write({
      '001_large.up.sql': `${large}CREATE TABLE t (x int);\nCREATE INDEX CONCURRENTLY t_x ON t (x);`,
    });
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.details.server).to.include({ sqlstate: '25001' });
    expect(error.hint).to.include('file of its own').and.not.include('no-transaction');
  });

  it('25001: with no-transaction the file runs', async () => {
    const sql = 'REINDEX TABLE parts;';
    await workspace().write({
      '001_parts.up.sql':
        'CREATE TABLE parts (x int) PARTITION BY RANGE (x); CREATE TABLE part PARTITION OF parts DEFAULT; CREATE INDEX ON parts (x);',
      '002_reindex.up.sql': sql,
    });
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.details.server).to.include({ sqlstate: '25001' });
    expect(error.hint).to.include('-- lockstep: no-transaction');
    await workspace().write({ '002_reindex.up.sql': `-- lockstep: no-transaction\n${sql}` });
    await up(workspace());
    expect(await workspace().versions()).to.deep.equal(['001_parts', '002_reindex']);
  });

  for (const [what, call] of [
    ['CALL', 'CALL p();'],
    ['DO', 'DO $$ BEGIN COMMIT; END $$;'],
  ] as const) {
    it(`2D000, ${what} that commits: with no-transaction the file runs`, async () => {
      const procedure = `CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN COMMIT; END';`;
      await workspace().write({ '001_p.up.sql': procedure, '002_call.up.sql': call });
      const error = await failure('MIGRATION_FAILED', up(workspace()));
      expect(error.details.server).to.include({ sqlstate: '2D000' });
      expect(error.hint).to.include('-- lockstep: no-transaction');
      await workspace().write({ '002_call.up.sql': `-- lockstep: no-transaction\n${call}` });
      await up(workspace());
      expect(await workspace().versions()).to.deep.equal(['001_p', '002_call']);
    });
  }

  it('55P04: a new enum value used in its own transaction: split the file', async () => {
    await workspace().write({
      '001_e.up.sql': `CREATE TYPE e AS ENUM ('a');`,
      '002_f.up.sql': `ALTER TYPE e ADD VALUE 'b';\nCREATE TABLE t AS SELECT 'b'::e AS e;`,
    });
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.details.server).to.include({ sqlstate: '55P04' });
    expect(error.hint).to.include('split the file');
    expect(await workspace().query('SELECT enum_range(NULL::e)::text AS e')).to.deep.equal([{ e: '{a}' }]);
  });
});
