import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { addProduct, findProduct } from '../src/shop.mjs';
import { useRecords } from './records.mjs';

describe('products', () => {
  const { pool, product } = useRecords();

  it('are found by name', async () => {
    const { id, name } = await product({ priceCents: 250 });
    assert.deepEqual(await findProduct(pool, name), { id, name, priceCents: 250 });
  });

  it('have a name of their own', async () => {
    const { name } = await product();
    await assert.rejects(addProduct(pool, { name, priceCents: 1 }), { code: '23505' });
  });

  it('cost nothing at least', async () => {
    await assert.rejects(product({ priceCents: -1 }), { code: '23514' });
  });
});
