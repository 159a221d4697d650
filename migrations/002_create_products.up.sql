-- What is for sale. Prices are in cents, so that nothing is ever rounded.
CREATE TABLE products (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sku         text NOT NULL UNIQUE,
  name        text NOT NULL,
  price_cents integer NOT NULL CHECK (price_cents >= 0),
  created_at  timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN products.sku IS 'The article number that is printed on the box; it never changes.';
