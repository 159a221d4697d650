/**
 * Objects with the same name in other schemas of the path, and builds of other roles, are not dropped and not mistaken
 * for the migration's own.
 */
import { expect } from 'chai';

import { openSnapshot } from '../support/gate.ts';
import { eventually } from '../support/bounded.ts';
import { createRole } from '../support/roles.ts';
import { done, failure, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

/** The position of the namesakes' schema on the path, relative to the schema of the file's objects. */
const SIDES = ['before', 'behind'] as const;
type Side = (typeof SIDES)[number];

describe('namesakes', () => {
  const workspace = useWorkspace();
  let mine: string;
  let others: string;

  beforeEach(async () => {
    const here = workspace();
    mine = here.schema;
    others = `${mine}_others`;
    await here.query(`CREATE SCHEMA ${others}`);
    here.defer(() => here.query(`DROP SCHEMA ${others} CASCADE`));
  });

  /** The history is in `mine`, whichever schema comes first. */
  function run(side: Side, sql: string, files = {}) {
    const url = new URL(workspace().url);
    url.searchParams.set('search_path', side === 'before' ? `${others},${mine}` : `${mine},${others}`);
    const options = { connectionString: url.href, table: `${mine}.schema_migrations` };
    return workspace()
      .write({ '001_x.up.sql': sql, ...files })
      .then(() => up(workspace(), options));
  }

  const query = (sql: string): Promise<Record<string, unknown>[]> => workspace().query(sql);

  /** The objects of the other schema, each with its oid. */
  async function othersNow(): Promise<unknown> {
    return await query(
      `SELECT c.oid::int, c.relname, c.relfilenode::int, i.indisvalid, p.inhdetachpending FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
         LEFT JOIN pg_inherits p ON p.inhrelid = c.oid WHERE c.relnamespace = '${others}'::regnamespace ORDER BY 1`,
    );
  }

  /** A build that fails in a schema; the INVALID index that it leaves has this name. */
  async function leaveInvalid(schema: string, sql: string): Promise<void> {
    await workspace().query(`SET search_path = ${schema}`);
    await workspace()
      .query(sql)
      .catch(() => undefined);
    await workspace().query(`SET search_path = ${mine}`);
  }

  const TABLE = (schema: string, rows: string): string =>
    `CREATE TABLE ${schema}.t (x int); INSERT INTO ${schema}.t VALUES ${rows}`;
  const stateOfIndex = async (schema: string): Promise<unknown> =>
    (
      await query(
        `SELECT indisvalid AS valid, indrelid::regclass::text AS "table" FROM pg_index WHERE indexrelid = to_regclass('${schema}.t_x')`,
      )
    )[0];

  /** The object with the index's name in the other schema; the file builds on a table that exists only in `mine`. */
  const NAMESAKES: Readonly<Record<string, () => Promise<unknown>>> = {
    'a good index': () => query(`CREATE TABLE ${others}.o (x int); CREATE INDEX t_x ON ${others}.o (x)`),
    'a constraint': () => query(`CREATE TABLE ${others}.o (x int CONSTRAINT t_x UNIQUE)`),
    'an INVALID index': async () => {
      await query(`CREATE TABLE ${others}.o (x int); INSERT INTO ${others}.o VALUES (1), (1)`);
      await leaveInvalid(others, 'CREATE UNIQUE INDEX CONCURRENTLY t_x ON o (x)');
    },
    'a table': () => query(`CREATE TABLE ${others}.t_x ()`),
  };

  for (const side of SIDES) {
    for (const [what, make] of Object.entries(NAMESAKES)) {
      for (const ifNotExists of ['', 'IF NOT EXISTS ']) {
        it(`${side}, ${what}: CREATE UNIQUE INDEX CONCURRENTLY ${ifNotExists}drops only its own index after duplicates, and succeeds without them`, async () => {
          await query(TABLE(mine, '(1), (1)'));
          await make();
          const before = await othersNow();
          const sql = `CREATE UNIQUE INDEX CONCURRENTLY ${ifNotExists}t_x ON t (x);`;
          await failure('MIGRATION_FAILED', run(side, sql));
          expect(await othersNow()).to.deep.equal(before);
          expect(await stateOfIndex(mine)).to.equal(undefined);
          await query(`DELETE FROM ${mine}.t WHERE ctid IN (SELECT min(ctid) FROM ${mine}.t)`);
          expect(done(await run(side, sql))).to.deep.equal(['001_x']);
          expect(await othersNow()).to.deep.equal(before);
          expect(await stateOfIndex(mine)).to.deep.include({ valid: true });
        });
      }
    }

    it(`${side}, a table of the same name too: the file uses the first of the path, and only its INVALID index is dropped`, async () => {
      for (const schema of [mine, others]) {
        await query(TABLE(schema, '(1), (1)'));
        await leaveInvalid(schema, 'CREATE UNIQUE INDEX CONCURRENTLY t_x ON t (x)');
        await query(`DELETE FROM ${schema}.t WHERE ctid IN (SELECT min(ctid) FROM ${schema}.t)`);
      }
      expect(done(await run(side, 'CREATE UNIQUE INDEX CONCURRENTLY t_x ON t (x);'))).to.deep.equal(['001_x']);
      const [meant, other] = side === 'before' ? [others, mine] : [mine, others];
      expect(await stateOfIndex(meant)).to.deep.include({ valid: true });
      expect(await stateOfIndex(other)).to.deep.include({ valid: false });
    });

    it(`${side}: DROP INDEX CONCURRENTLY drops the index that the path resolves to, or the qualified one`, async () => {
      for (const schema of [mine, others]) await query(`${TABLE(schema, '(1)')}; CREATE INDEX t_x ON ${schema}.t (x)`);
      expect(done(await run(side, 'DROP INDEX CONCURRENTLY t_x;'))).to.deep.equal(['001_x']);
      const [meant, other] = side === 'before' ? [others, mine] : [mine, others];
      expect([await stateOfIndex(meant), await stateOfIndex(other)]).to.deep.equal([
        undefined,
        { valid: true, table: other === mine ? 't' : `${other}.t` },
      ]);
      await run(side, 'DROP INDEX CONCURRENTLY t_x;', { '002_y.up.sql': `DROP INDEX CONCURRENTLY ${other}.t_x;` });
      expect(await stateOfIndex(other)).to.equal(undefined);
    });

    for (const rest of ['', ' FINALIZE']) {
      it(`${side}: DETACH PARTITION CONCURRENTLY${rest} is finished on the table where it was cancelled`, async () => {
        const partitioned = (schema: string): string =>
          `CREATE TABLE ${schema}.p (x int) PARTITION BY LIST (x); CREATE TABLE ${schema}.p1 PARTITION OF ${schema}.p FOR VALUES IN (1)`;
        await query(`${partitioned(mine)}; CREATE TABLE ${others}.p (x int); CREATE TABLE ${others}.p1 (x int)`);
        const reader = await workspace().client();
        await reader.query(`BEGIN; SELECT * FROM ${mine}.p`);
        const person = await workspace().client();
        const cut = person
          .query(`ALTER TABLE ${mine}.p DETACH PARTITION ${mine}.p1 CONCURRENTLY`)
          .catch((error: unknown) => error);
        await eventually(
          'the DETACH to be pending',
          async () =>
            (await query(`SELECT FROM pg_inherits WHERE inhrelid = '${mine}.p1'::regclass AND inhdetachpending`))
              .length === 1,
        );
        await query(`SELECT pg_cancel_backend(${(person as unknown as { processID: number }).processID})`);
        await cut;
        await reader.query('ROLLBACK');
        const before = await othersNow();
        const name = side === 'before' ? `${mine}.` : '';
        expect(
          done(
            await run(side, `ALTER TABLE ${name}p DETACH PARTITION ${name}p1${rest === '' ? ' CONCURRENTLY' : rest};`),
          ),
        ).to.deep.equal(['001_x']);
        expect(await query(`SELECT FROM pg_inherits WHERE inhrelid = '${mine}.p1'::regclass`)).to.deep.equal([]);
        expect(await othersNow()).to.deep.equal(before);
      });
    }

    it(`${side}: the leftovers of a failed REINDEX CONCURRENTLY are dropped, and other namesakes stay`, async () => {
      // The index's function fails for a row that was inserted while it did not fail.
      const dividing = `CREATE OR REPLACE FUNCTION ${mine}.f(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1 / x; END $$`;
      await query(
        `${dividing.replace('1 / x', 'x')}; CREATE TABLE ${mine}.r (x int); CREATE INDEX r_x ON ${mine}.r (${mine}.f(x)); INSERT INTO ${mine}.r VALUES (0); ${dividing}`,
      );
      await query(`CREATE TABLE ${others}.r2 (x int); INSERT INTO ${others}.r2 VALUES (1), (1)`);
      await leaveInvalid(others, 'CREATE UNIQUE INDEX CONCURRENTLY r_x_ccnew ON r2 (x)');
      const before = await othersNow();
      await failure('MIGRATION_FAILED', run(side, `REINDEX INDEX CONCURRENTLY ${mine}.r_x;`));
      expect(await othersNow()).to.deep.equal(before);
      expect(
        await query(
          `SELECT relname FROM pg_class WHERE relnamespace = '${mine}'::regnamespace AND relname ~ '_cc(new|old)'`,
        ),
      ).to.deep.equal([]);
    });
  }

  /** A superuser runs the build, so the migrator's role cannot see its progress; a snapshot keeps it running. */
  const BUILDS: Readonly<Record<string, { readonly theirs: string; readonly ours: string }>> = {
    'CREATE INDEX': {
      theirs: 'CREATE INDEX CONCURRENTLY t_x ON t (x)',
      ours: 'CREATE INDEX CONCURRENTLY t_x ON t (x);',
    },
    'CREATE INDEX IF NOT EXISTS': {
      theirs: 'CREATE INDEX CONCURRENTLY t_x ON t (x)',
      ours: 'CREATE INDEX CONCURRENTLY IF NOT EXISTS t_x ON t (x);',
    },
    REINDEX: { theirs: 'REINDEX INDEX CONCURRENTLY t_x', ours: 'REINDEX INDEX CONCURRENTLY t_x;' },
  };
  for (const [what, { theirs, ours }] of Object.entries(BUILDS)) {
    it(`another role's running ${what} CONCURRENTLY is left alone, and its index stays`, async () => {
      const role = await createRole(workspace());
      await query(`${TABLE(mine, '(1)')}; ALTER TABLE ${mine}.t OWNER TO ${role.name}`);
      if (what === 'REINDEX') await query(`CREATE INDEX t_x ON ${mine}.t (x)`);
      const snapshot = await openSnapshot(workspace());
      const person = await workspace().client();
      const build = person.query(theirs).then(() => 'built');
      build.catch(() => undefined);
      await snapshot.awaited();
      await workspace().write({ '001_x.up.sql': ours });
      const running = up(workspace(), { connectionString: role.url, lockTimeoutMs: 200 });
      const outcome = running.then(
        () => 'done',
        (error: unknown) => (error as { code?: string }).code,
      );
      if (what !== 'REINDEX') expect(await outcome).to.equal('CONTENTION');
      await snapshot.end();
      expect(await build).to.equal('built');
      if (what === 'REINDEX') expect(await outcome).to.equal('done');
      expect(await stateOfIndex(mine)).to.deep.include({ valid: true });
      expect(await workspace().invalidIndexes()).to.deep.equal([]);
    });
  }
});
