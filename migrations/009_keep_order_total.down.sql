DROP TRIGGER order_items_keep_total ON order_items;
DROP FUNCTION keep_order_total();
