import { expect } from 'chai';

import { parseTableName, type TableName } from '../../src/core/table-name.ts';

const A55 = 'a'.repeat(55);
const A63 = 'a'.repeat(63);

const GOOD: readonly (readonly [string, TableName])[] = [
  ['schema_migrations', { name: 'schema_migrations' }],
  ['shop.schema_migrations', { schema: 'shop', name: 'schema_migrations' }],
  ['Shop.My Table', { schema: 'Shop', name: 'My Table' }],
  ['"shop"."table"', { schema: '"shop"', name: '"table"' }],
  [`it's`, { name: `it's` }],
  ['日本.é', { schema: '日本', name: 'é' }],
  [A55, { name: A55 }],
  [`${A63}.${A55}`, { schema: A63, name: A55 }],
];

const BAD: readonly (readonly [string, RegExp])[] = [
  ['', /empty part/],
  ['.', /empty part/],
  ['shop.', /empty part/],
  ['.table', /empty part/],
  ['shop. ', /empty part/],
  ['..', /3 parts/],
  ['db.shop.table', /3 parts/],
  ['"a.b".c', /3 parts/],
  [' table', /white space/],
  ['shop .table', /white space/],
  ['ta\nble', /control character/],
  ['ta\0ble', /control character/],
  [`${A55}a`, /longer than 55 bytes/],
  ['é'.repeat(28), /longer than 55 bytes/],
  [`shop.${A55}a`, /longer than 55 bytes/],
  [`${A63}a.table`, /longer than 63 bytes/],
];

describe('parseTableName', () => {
  for (const [text, name] of GOOD) {
    it(`reads ${JSON.stringify(text)}`, () => {
      expect(parseTableName(text)).to.deep.equal(name);
    });
  }

  for (const [text, problem] of BAD) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseTableName(text)).to.match(problem);
    });
  }
});
