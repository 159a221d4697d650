/** The tables that the examples of the rules are about. */
export const EXAMPLE_SCHEMA = `CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL,
  name varchar(80),
  country text
);
CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint,
  state text,
  total numeric(10, 2),
  placed_at timestamptz
);
CREATE INDEX orders_placed_at ON orders (placed_at);
CREATE VIEW open_orders AS SELECT id, total FROM orders WHERE state = 'open';
CREATE MATERIALIZED VIEW revenue AS SELECT country, count(*) AS customers FROM customers GROUP BY country;
CREATE UNIQUE INDEX revenue_country ON revenue (country);
CREATE TABLE events (at timestamptz NOT NULL, body text) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TYPE order_state AS ENUM ('open', 'paid');
CREATE TYPE address AS (city text);
CREATE SEQUENCE invoice_number;
CREATE SCHEMA old_shop;
CREATE FUNCTION net(gross numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT gross / 1.2 $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
`;
