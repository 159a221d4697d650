-- From now on the database keeps the total.
CREATE FUNCTION keep_order_total() RETURNS trigger
LANGUAGE plpgsql AS $keep$
DECLARE
  changed bigint;
BEGIN
  -- An item that moves to another order changes two totals.
  FOREACH changed IN ARRAY
    CASE TG_OP
      WHEN 'INSERT' THEN ARRAY[NEW.order_id]
      WHEN 'DELETE' THEN ARRAY[OLD.order_id]
      ELSE ARRAY[NEW.order_id, OLD.order_id]
    END
  LOOP
    UPDATE orders
    SET total_cents = (
      SELECT coalesce(sum(i.quantity::bigint * i.price_cents), 0)
      FROM order_items AS i
      WHERE i.order_id = changed
    )
    WHERE id = changed;
  END LOOP;
  RETURN NULL;
END;
$keep$;

CREATE TRIGGER order_items_keep_total
AFTER INSERT OR UPDATE OR DELETE ON order_items
FOR EACH ROW EXECUTE FUNCTION keep_order_total();
