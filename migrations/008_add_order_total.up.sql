-- Nullable and without a default: the table is not rewritten, and the old version of the shop can go on inserting.
ALTER TABLE orders ADD COLUMN total_cents bigint;
