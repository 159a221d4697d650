-- A constraint can't be made unchecked again: it is replaced by one that is.
ALTER TABLE order_items
  DROP CONSTRAINT order_items_quantity_positive,
  ADD CONSTRAINT order_items_quantity_positive CHECK (quantity > 0) NOT VALID;
