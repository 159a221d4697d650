CREATE INDEX CONCURRENTLY orders_product ON orders (product_id);
