-- The hook beside this file (…before.mjs) has brought all addresses into this form.
ALTER TABLE customers
  ADD CONSTRAINT customers_email_normalised CHECK (email = lower(btrim(email)) AND email <> ''),
  ALTER COLUMN email SET NOT NULL;
