-- New rows are checked from now on; the old ones by the next migration, which doesn't block writers.
ALTER TABLE order_items
  ADD CONSTRAINT order_items_quantity_positive CHECK (quantity > 0) NOT VALID;
