CREATE VIEW customer_revenue AS
SELECT
  c.id,
  c.email,
  count(o.id) AS orders,
  coalesce(sum(o.total_cents), 0) AS revenue_cents,
  max(o.created_at) AS last_order_at
FROM customers AS c
LEFT JOIN orders AS o ON o.customer_id = c.id AND o.status IN ('paid', 'shipped')
GROUP BY c.id;
