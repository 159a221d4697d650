/** What the shop does with its database. It expects its tables to be there: it never makes or changes one. */

export async function addProduct(pool, { name, priceCents }) {
  const { rows } = await pool.query('INSERT INTO products (name, price_cents) VALUES ($1, $2) RETURNING id', [
    name,
    priceCents,
  ]);
  return rows[0].id;
}

export async function findProduct(pool, name) {
  const { rows } = await pool.query('SELECT id, name, price_cents AS "priceCents" FROM products WHERE name = $1', [
    name,
  ]);
  return rows[0];
}

export async function placeOrder(pool, { productId, quantity }) {
  const { rows } = await pool.query('INSERT INTO orders (product_id, quantity) VALUES ($1, $2) RETURNING id', [
    productId,
    quantity,
  ]);
  return rows[0].id;
}

/** What all orders of a product are worth. */
export async function revenueOf(pool, productId) {
  const { rows } = await pool.query(
    'SELECT coalesce(sum(quantity * price_cents), 0)::int AS cents FROM orders JOIN products ON products.id = product_id WHERE product_id = $1',
    [productId],
  );
  return rows[0].cents;
}
