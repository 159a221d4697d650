import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { revenueOf } from '../src/shop.mjs';
import { useRecords } from './records.mjs';

describe('orders', () => {
  const { pool, product, order } = useRecords();

  it('add up to the revenue of their product', async () => {
    const { id } = await product({ priceCents: 250 });
    await order(id, 2);
    await order(id, 1);
    assert.equal(await revenueOf(pool, id), 750);
  });

  it('are not counted for another product', async () => {
    const [sold, other] = [await product(), await product()];
    await order(sold.id, 5);
    assert.equal(await revenueOf(pool, other.id), 0);
  });

  it('are for a product that there is', async () => {
    await assert.rejects(order(-1, 1), { code: '23503' });
  });
});
