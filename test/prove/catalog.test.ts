/** Every difference that a wrong down file leaves is found and named: fifty of them, each a small change of one schema. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';

import { diffCatalogs } from '../../src/core/catalog/diff.ts';
import { parseCatalog, writeCatalog } from '../../src/core/catalog/text.ts';
import type { Catalog } from '../../src/core/catalog/catalog.ts';
import { MUTANTS, SCHEMA } from '../support/catalog-mutants.ts';
import { execute, inCopy, readCatalogOf, withCatalogs } from '../support/catalogs.ts';
import { useDatabase } from '../support/databases.ts';
import { testServer } from '../support/server.ts';

describe('the catalog', () => {
  const database = useDatabase();
  const reader = `reader_${randomBytes(6).toString('hex')}`;
  let right: Catalog;

  before('create the schema', async function () {
    const { url } = await testServer(this);
    await execute(url, `CREATE ROLE ${reader}`);
    await execute(database(), SCHEMA.replaceAll('READER', reader));
    right = await readCatalogOf(database());
  });
  after('drop the role', async () => {
    const { url } = await testServer();
    await execute(url, `DROP ROLE ${reader}`);
  });

  it('is the same when it is read again, and after it was written and parsed', async () => {
    expect(await readCatalogOf(database())).to.deep.equal(right);
    expect(parseCatalog(writeCatalog(right))).to.deep.equal(right);
  });

  it('is the same for a session that reads again, after every change', async () => {
    await inCopy(database(), (url) =>
      withCatalogs(url, async (read) => {
        for (const [sql] of MUTANTS) {
          await execute(url, sql.replaceAll('READER', reader)).catch(() => undefined);
          expect(await read(), sql).to.deep.equal(await readCatalogOf(url));
        }
      }),
    );
  });

  for (const [sql, object, what] of MUTANTS) {
    it(`finds: ${sql}`, async () => {
      const differences = await inCopy(database(), async (url) => {
        await execute(url, sql.replaceAll('READER', reader));
        return diffCatalogs(right, await readCatalogOf(url));
      });
      const found = differences.find(
        (one) => one.object === object && (what === undefined || what === (one.property ?? one.change)),
      );
      expect(found, JSON.stringify(differences, null, 1)).to.not.equal(undefined);
    });
  }
});
