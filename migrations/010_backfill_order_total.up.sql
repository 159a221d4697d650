-- The totals of the orders that are older than the trigger.
UPDATE orders AS o
SET total_cents = t.total_cents
FROM (
  SELECT order_id, sum(quantity::bigint * price_cents) AS total_cents
  FROM order_items
  GROUP BY order_id
) AS t
WHERE t.order_id = o.id AND o.total_cents IS NULL;
