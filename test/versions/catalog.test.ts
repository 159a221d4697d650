/**
 * The catalog of a copy is that of the original, although the server has written some texts anew; and that of one
 * schema is the same on every version of PostgreSQL. `npm run test:rules` runs it on 14 to 18.
 */
import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import pg from 'pg';

import { NEWEST_VERSION } from '../../scripts/postgres/programs.ts';
import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import type { Catalog } from '../../src/core/catalog/catalog.ts';
import type { Difference } from '../../src/core/catalog/diff.ts';
import { compareCatalogs } from '../../src/engine/drift/compare-catalogs.ts';
import { SCHEMA } from '../support/catalog-mutants.ts';
import { execute, inCopy, readCatalogOf } from '../support/catalogs.ts';
import { ownServer } from '../support/server.ts';
import { skip } from '../support/skip.ts';

const VERSION = Number(process.env['LOCKSTEP_POSTGRES'] ?? NEWEST_VERSION);

/** What the server writes in other words when it reads its own text again. */
const WORDS = `
CREATE TABLE app.words (a varchar(5) CHECK (a IN ('x', 'y')), b varchar DEFAULT 'x' CHECK (b = ANY ('{x,y}')), c char(3) CHECK (c NOT IN ('x', 'y')), d numeric CHECK (d BETWEEN 1 AND 2), e text CHECK (e LIKE 'a%' OR e ~~ 'b%'));
CREATE INDEX words_few ON app.words (lower(a), (d + 1) DESC NULLS LAST) WHERE a IN ('x', 'y');
CREATE VIEW app.few AS SELECT a, count(*) FILTER (WHERE b IN ('x', 'y')) AS n FROM app.words WHERE c IN ('x', 'y') GROUP BY a;
CREATE POLICY few ON app.words USING (a IN ('x', 'y')) WITH CHECK (b NOT IN ('x', 'y'));
CREATE TRIGGER few BEFORE UPDATE OF a ON app.words FOR EACH ROW WHEN (NEW.a IN ('x', 'y') AND OLD.a IS DISTINCT FROM NEW.a) EXECUTE FUNCTION app.touch();
CREATE STATISTICS app.few_words ON (lower(a)), d FROM app.words;
`;

/** Statements that make each object again from the text that the server gives of it. */
const AGAIN = `
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %3$s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 AND connamespace = 'app'::regnamespace
UNION ALL SELECT format('ALTER DOMAIN %s DROP CONSTRAINT %I; ALTER DOMAIN %1$s ADD CONSTRAINT %2$I %3$s', contypid::regtype, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE contype = 'c' AND contypid <> 0 AND connamespace = 'app'::regnamespace
UNION ALL SELECT format('ALTER TABLE %s ALTER %I SET DEFAULT %s', adrelid::regclass, attname, pg_get_expr(adbin, adrelid)) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE attgenerated = ''
UNION ALL SELECT format('CREATE OR REPLACE VIEW %s AS %s', oid::regclass, pg_get_viewdef(oid)) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'app'::regnamespace
UNION ALL SELECT format('DROP MATERIALIZED VIEW %s; CREATE MATERIALIZED VIEW %1$s AS %2$s', oid::regclass, pg_get_viewdef(oid)) FROM pg_class WHERE relkind = 'm' AND relnamespace = 'app'::regnamespace
UNION ALL SELECT format('DROP INDEX %s; %s; %s', i.indexrelid::regclass, pg_get_indexdef(i.indexrelid), 'COMMENT ON INDEX ' || i.indexrelid::regclass || ' IS ' || quote_literal(obj_description(i.indexrelid))) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'app'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
UNION ALL SELECT format('DROP TRIGGER %I ON %s; %s', tgname, tgrelid::regclass, pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT format('ALTER POLICY %I ON %s USING (%s) %s', polname, polrelid::regclass, pg_get_expr(polqual, polrelid), 'WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')') FROM pg_policy
UNION ALL SELECT format('DROP STATISTICS app.%I; %s', stxname, pg_get_statisticsobjdef(oid)) FROM pg_statistic_ext
UNION ALL SELECT replace(pg_get_ruledef(oid), 'CREATE RULE', 'CREATE OR REPLACE RULE') FROM pg_rewrite WHERE ev_class >= 16384 AND rulename <> '_RETURN'
UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'app'::regnamespace AND prokind <> 'a'`;

describe(`the catalog on PostgreSQL ${VERSION}`, () => {
  let url: string;
  let original: Catalog;

  before('make a schema', async () => {
    ({ url } = await ownServer());
    await execute(url, `CREATE ROLE reader; ${SCHEMA.replaceAll('READER', 'reader')}${WORDS}`);
    original = await readCatalogOf(url);
  });

  async function differences(other: Catalog): Promise<readonly Difference[]> {
    return await compareCatalogs(original, other, createSqlParser());
  }

  it('is the same after each object was made again from the text that the server gives of it', async () => {
    await inCopy(url, async (copy) => {
      const statements = await rowsOf(copy, AGAIN);
      expect(statements.length).to.be.greaterThan(20);
      for (const sql of statements) await execute(copy, sql);
      const other = await readCatalogOf(copy);
      expect(JSON.stringify(other)).to.not.equal(JSON.stringify(original));
      expect(await differences(other)).to.deep.equal([]);
    });
  });

  it('is the same after pg_dump and psql', async function () {
    const newest = Number(/ (\d+)\./.exec(String(spawnSync('pg_dump', ['--version']).stdout))?.[1]);
    if (!(newest >= VERSION)) skip(this, `pg_dump reads no server that is newer than itself: ${newest} is on the PATH`);
    await inCopy(url, async (copy) => {
      await execute(copy, 'DROP SCHEMA app CASCADE; DROP PUBLICATION outside');
      const { stdout } = spawnSync('pg_dump', [url], { encoding: 'utf8' });
      // A pg_dump of 17 or later sets what servers before 17 do not have.
      const input = stdout.replace('SET transaction_timeout = 0;', '');
      const restored = spawnSync('psql', ['-qX', '-v', 'ON_ERROR_STOP=1', copy], { input, encoding: 'utf8' });
      expect(restored.status, restored.stderr).to.equal(0);
      expect(await differences(await readCatalogOf(copy))).to.deep.equal([]);
    });
  });

  if (VERSION !== NEWEST_VERSION) {
    it(`differs from that on PostgreSQL ${NEWEST_VERSION} in no more than texts of the server`, async () => {
      const newest = await ownServer({ version: NEWEST_VERSION });
      await execute(newest.url, `CREATE ROLE reader; ${SCHEMA.replaceAll('READER', 'reader')}${WORDS}`);
      expect(await differences(await readCatalogOf(newest.url))).to.deep.equal([]);
    });
  }
});

async function rowsOf(url: string, sql: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<{ format: string }>(sql)).rows.map(({ format }) => format);
  } finally {
    await client.end();
  }
}
