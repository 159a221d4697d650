-- The data of the old shop, as it was: 500 products, 20,000 customers, 40,000 orders with 120,000 items.
-- The old shop stored e-mail addresses as people typed them, and some people typed spaces.

INSERT INTO products (sku, name, price_cents)
SELECT 'SKU-' || lpad(n::text, 5, '0'), 'Product ' || n, 199 + n * 37 % 9000
FROM generate_series(1, 500) AS n;

INSERT INTO customers (email, full_name, created_at)
SELECT
  CASE n % 4
    WHEN 0 THEN 'Customer.' || n || '@Example.COM'
    WHEN 1 THEN ' customer.' || n || '@example.com '
    ELSE 'customer.' || n || '@example.com'
  END,
  'Customer ' || n,
  timestamptz '2023-01-01 00:00:00+00' + n * interval '1 hour'
FROM generate_series(1, 20000) AS n;

INSERT INTO orders (customer_id, status, created_at)
SELECT
  c.id,
  (ARRAY['open', 'paid', 'shipped', 'shipped', 'cancelled'])[1 + (c.id + n) % 5]::order_status,
  c.created_at + n * interval '10 days'
FROM customers AS c
CROSS JOIN generate_series(1, 2) AS n;

INSERT INTO order_items (order_id, product_id, quantity, price_cents)
SELECT o.id, p.id, 1 + (o.id % 3)::integer, p.price_cents
FROM orders AS o
CROSS JOIN generate_series(0, 2) AS n
JOIN products AS p ON p.sku = 'SKU-' || lpad((1 + (o.id * 7 + n * 11) % 500)::text, 5, '0');
