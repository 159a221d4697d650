ALTER TABLE customers
  ALTER COLUMN email DROP NOT NULL,
  DROP CONSTRAINT customers_email_normalised;
