-- Built while the shop goes on selling. Such a statement can't run in a transaction: it has a file of its own.
CREATE UNIQUE INDEX CONCURRENTLY customers_email_key ON customers (email);
