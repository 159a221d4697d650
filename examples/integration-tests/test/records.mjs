/**
 * What a suite makes, and takes away again: these records and no others. The suites run at the same time on one database,
 * so nobody truncates a table, rolls a migration back, or counts the records of others.
 */
import { randomUUID } from 'node:crypto';
import { after, afterEach } from 'node:test';
import pg from 'pg';

import { addProduct, placeOrder } from '../src/shop.mjs';

export function useRecords() {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
  const made = { orders: [], products: [] };

  afterEach(async () => {
    await pool.query('DELETE FROM orders WHERE id = ANY ($1)', [made.orders.splice(0)]);
    await pool.query('DELETE FROM products WHERE id = ANY ($1)', [made.products.splice(0)]);
  });
  after(() => pool.end());

  return {
    pool,
    /** Nobody else's: with a random name. */
    async product({ priceCents = 100 } = {}) {
      const name = `product ${randomUUID()}`;
      const id = await addProduct(pool, { name, priceCents });
      made.products.push(id);
      return { id, name, priceCents };
    },
    async order(productId, quantity) {
      const id = await placeOrder(pool, { productId, quantity });
      made.orders.push(id);
      return id;
    },
  };
}
