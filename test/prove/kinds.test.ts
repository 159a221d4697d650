/** The catalog has objects of every kind, says which of them are missing elsewhere, and never the values of options. */
import { expect } from 'chai';

import { catalogOf, KINDS, PART_KINDS } from '../../src/core/catalog/catalog.ts';
import { diffCatalogs } from '../../src/core/catalog/diff.ts';
import { writeCatalog } from '../../src/core/catalog/text.ts';
import { execute, readCatalogOf } from '../support/catalogs.ts';
import { useDatabase } from '../support/databases.ts';

const EVERYTHING: readonly string[] = [
  'CREATE EXTENSION hstore',
  'CREATE LANGUAGE plnew HANDLER plpgsql_call_handler',
  'CREATE ACCESS METHOD columnar TYPE TABLE HANDLER heap_tableam_handler',
  'CREATE SCHEMA app',
  'CREATE FOREIGN DATA WRAPPER nothing',
  `CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing OPTIONS (password 'secret_of_server')`,
  `CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (password 'secret_of_mapping')`,
  `CREATE FOREIGN TABLE app.far (a int) SERVER elsewhere OPTIONS (token 'secret_of_table')`,
  `CREATE COLLATION app.german (LOCALE = 'C')`,
  `CREATE CONVERSION app.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8`,
  `CREATE TYPE app.mood AS ENUM ('ok')`,
  `CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
  `CREATE FUNCTION app.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'`,
  `CREATE PROCEDURE app.clean() LANGUAGE sql AS ''`,
  'CREATE AGGREGATE app.total(integer) (SFUNC = int4pl, STYPE = integer)',
  'CREATE OPERATOR FAMILY app.numbers USING btree',
  'CREATE OPERATOR CLASS app.by_number FOR TYPE integer USING btree FAMILY app.numbers AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(integer, integer)',
  'CREATE OPERATOR app.=== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)',
  'CREATE CAST (app.mood AS integer) WITH INOUT',
  'CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal))',
  'CREATE TEXT SEARCH PARSER app.parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)',
  'CREATE TEXT SEARCH TEMPLATE app.template (INIT = dsimple_init, LEXIZE = dsimple_lexize)',
  'CREATE TEXT SEARCH DICTIONARY app.dictionary (TEMPLATE = app.template)',
  'CREATE TEXT SEARCH CONFIGURATION app.words (PARSER = app.parser)',
  'CREATE SEQUENCE app.counter',
  'CREATE TABLE app.orders (id bigint PRIMARY KEY, total numeric CHECK (total > 0))',
  'CREATE INDEX orders_total ON app.orders (total)',
  'CREATE TRIGGER touch BEFORE UPDATE ON app.orders FOR EACH ROW EXECUTE FUNCTION app.touch()',
  'CREATE RULE keep AS ON DELETE TO app.orders DO INSTEAD NOTHING',
  'CREATE POLICY own ON app.orders USING (id > 0)',
  'CREATE VIEW app.big AS SELECT id FROM app.orders',
  'CREATE MATERIALIZED VIEW app.sums AS SELECT sum(total) FROM app.orders',
  'CREATE STATISTICS app.together ON id, total FROM app.orders',
  'CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION app.watch()',
  'CREATE PUBLICATION outside FOR TABLE app.orders',
  `CREATE SUBSCRIPTION inside CONNECTION 'host=elsewhere password=secret_of_subscription' PUBLICATION outside WITH (connect = false, enabled = false, create_slot = false, slot_name = NONE)`,
  'ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC',
  `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 5000', current_database()); END $$`,
];

describe('the kinds of objects', () => {
  // Before the database, which cannot be dropped with one.
  after('drop the subscription', () => execute(database(), 'DROP SUBSCRIPTION inside'));
  const database = useDatabase();

  before('make everything', async () => {
    for (const sql of EVERYTHING) await execute(database(), sql);
  });
  it('are all in the catalog, and in the differences where they are missing or foreign', async () => {
    const catalog = await readCatalogOf(database());
    const kinds = new Set(catalog.objects.map(({ kind }) => kind));
    expect([...kinds]).to.have.members([...KINDS]);
    const parts = new Set(catalog.objects.flatMap((object) => object.parts.map(({ kind }) => kind)));
    expect([...parts]).to.have.members([...PART_KINDS]);
    const names = catalog.objects.map(({ kind, name }) => `${kind} ${name}`);
    const empty = catalogOf(catalog.major, []);
    for (const [expected, found, change] of [
      [catalog, empty, 'missing'],
      [empty, catalog, 'foreign'],
    ] as const)
      expect(diffCatalogs(expected, found)).to.deep.equal(names.map((object) => ({ object, change })));
  });

  it('show the names of options and never their values', async () => {
    const text = writeCatalog(await readCatalogOf(database()));
    expect(text)
      .to.match(/^server elsewhere$/m)
      .and.include('names of options: password')
      .and.include('names of options: token');
    expect(text).to.not.include('secret_of');
  });
});
