/** examples/integration-tests, run as its README says: what passes, and which failures must not look like success. */
import { expect } from 'chai';

import { skipUnless } from '../support/elsewhere.ts';
import { findEngines, type ComposeEngine } from './support/engines.ts';
import { provideImages, Shop, type ShopResult } from './support/shop.ts';

const { engines, reasons } = await findEngines();

const RUN_MIGRATE = ['run', '--rm', '-T', 'migrate'];
const RUN_TESTS = ['run', '--rm', '-T', '--no-deps', 'it_tests'];
const UP = [
  'up',
  '--build',
  '--force-recreate',
  '--abort-on-container-failure',
  '--exit-code-from',
  'it_tests',
  'migrate',
  'it_tests',
];
const UP_IN_ONE = [
  '-f',
  'compose.in-one.yaml',
  'up',
  '--build',
  '--force-recreate',
  '--abort-on-container-exit',
  '--exit-code-from',
  'it_tests',
];

const FAILING_TEST = `import { it } from 'node:test';\nit('fails', () => { throw new Error('this test fails'); });\n`;
const FAILING_MIGRATION = 'CREATE TABLE broken (id inte);\n';

/** A record that belongs to no test. */
const ADD_RECORD = `await pool.query("INSERT INTO products (name, price_cents) VALUES ('of somebody else', 1)");`;
const COUNT_RECORDS = `const { rows } = await pool.query('SELECT (SELECT count(*) FROM products) AS products, (SELECT count(*) FROM orders) AS orders');
console.log('records left:', rows[0].products, rows[0].orders);`;

const script = (body: string): string[] => [
  ...RUN_TESTS,
  'node',
  '--input-type=module',
  '-e',
  `import pg from 'pg';\nconst pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });\n${body}\nawait pool.end();`,
];

it('can run here', function () {
  skipUnless(this, 'nothing runs compose files', engines.length > 0 ? undefined : reasons.join('; '));
  for (const reason of reasons) console.log(`      not with ${reason}`);
});

for (const engine of engines) describeExample(engine);

function describeExample(engine: ComposeEngine): void {
  describe(`the example of integration tests, with ${engine.name}`, function () {
    this.timeout(6 * 60_000);
    let shop: Shop;

    before(async function () {
      this.timeout(15 * 60_000);
      await provideImages(engine);
    });
    beforeEach(async () => {
      shop = await Shop.open(engine);
    });
    afterEach(() => shop.close());

    function expectEnd(
      { code, output, testsBegan }: ShopResult,
      expected: { code: number; testsBegan: boolean },
    ): void {
      expect({ code, testsBegan }, output).to.deep.equal(expected);
    }

    it('(a) migrates in a service of its own, then tests, and keeps other records', async () => {
      expectEnd(await shop.compose(...RUN_MIGRATE), { code: 0, testsBegan: false });
      expectEnd(await shop.compose(...script(ADD_RECORD)), { code: 0, testsBegan: false });
      const tests = await shop.compose(...RUN_TESTS);
      expectEnd(tests, { code: 0, testsBegan: true });
      expect(tests.output)
        .to.match(/pass 6\b/)
        .and.to.match(/fail 0\b/);
      expect((await shop.compose(...script(COUNT_RECORDS))).output).to.include('records left: 1 0');
      const again = await shop.compose(...RUN_MIGRATE);
      expect(again.output).to.include('skip 3 migrations (already applied)');
    });

    it('(a) fails when a test fails', async () => {
      await shop.write('test/failing.test.mjs', FAILING_TEST);
      expectEnd(await shop.compose(...RUN_MIGRATE), { code: 0, testsBegan: false });
      expectEnd(await shop.compose(...RUN_TESTS), { code: 1, testsBegan: true });
    });

    it("(a) ends with the migrator's code when a migration fails", async () => {
      await shop.write('migrations/004_broken.up.sql', FAILING_MIGRATION);
      expectEnd(await shop.compose(...RUN_MIGRATE), { code: 40, testsBegan: false });
    });

    it('(b) migrates and tests in one container', async () => {
      const { code, output, testsBegan } = await shop.compose(...UP_IN_ONE);
      expect({ code, testsBegan }, output).to.deep.equal({ code: 0, testsBegan: true });
      expect(output)
        .to.match(/up 003_index_orders_product/)
        .and.to.match(/pass 6\b/);
    });

    it('(b) fails when a test fails', async () => {
      await shop.write('test/failing.test.mjs', FAILING_TEST);
      expectEnd(await shop.compose(...UP_IN_ONE), { code: 1, testsBegan: true });
    });

    it("(b) ends with the migrator's code when a migration fails, and runs no test", async () => {
      await shop.write('migrations/004_broken.up.sql', FAILING_MIGRATION);
      expectEnd(await shop.compose(...UP_IN_ONE), { code: 40, testsBegan: false });
    });

    if (!engine.waitsForServices) return;

    it('(a) is one command where `up` waits for services', async () => {
      const { code, output, testsBegan } = await shop.compose(...UP);
      expect({ code, testsBegan }, output).to.deep.equal({ code: 0, testsBegan: true });
      expect(output).to.match(/pass 6\b/);
    });

    it('(a) as one command fails when a test fails', async () => {
      await shop.write('test/failing.test.mjs', FAILING_TEST);
      expectEnd(await shop.compose(...UP), { code: 1, testsBegan: true });
    });

    it('(a) as one command fails when a migration fails, and runs no test', async () => {
      await shop.write('migrations/004_broken.up.sql', FAILING_MIGRATION);
      expectEnd(await shop.compose(...UP), { code: 1, testsBegan: false });
    });
  });
}
