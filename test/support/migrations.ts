/** Sample migration files, none of which may be applied twice. */

export type Files = Readonly<Record<string, string>>;

/** The versions of some files, in order. */
export function versionsOf(files: Files): string[] {
  return Object.keys(files)
    .filter((name) => name.endsWith('.up.sql'))
    .map((name) => name.replace('.up.sql', ''))
    .sort();
}

/** Five files: tables that would collide and rows that would double. */
export const FIVE_FILES: Files = {
  '001_accounts.up.sql': `CREATE TABLE accounts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
INSERT INTO accounts (name) SELECT 'account ' || n FROM generate_series(1, 10) n;`,
  '001_accounts.down.sql': 'DROP TABLE accounts;',
  '002_orders.up.sql': `CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int NOT NULL REFERENCES accounts, total int);
CREATE INDEX orders_account ON orders (account);`,
  '002_orders.down.sql': 'DROP TABLE orders;',
  '003_first_orders.up.sql': 'INSERT INTO orders (account, total) SELECT id, 10 * id FROM accounts;',
  '003_first_orders.down.sql': 'DELETE FROM orders;',
  '004_bonus.up.sql': 'UPDATE orders SET total = total + 1;',
  '004_bonus.down.sql': 'UPDATE orders SET total = total - 1;',
  '005_order_notes.up.sql': `ALTER TABLE orders ADD COLUMN note text;
CREATE TABLE notes AS SELECT id AS order_id, 'note' AS text FROM orders;`,
  '005_order_notes.down.sql': 'DROP TABLE notes;\nALTER TABLE orders DROP COLUMN note;',
};

/** The rows that FIVE_FILES leave when each is applied once, as a `SELECT` in their schema returns them. */
export const FIVE_FILES_FACTS = `SELECT (SELECT count(*) FROM accounts)::int AS accounts, (SELECT count(*) FROM orders)::int AS orders,
  (SELECT sum(total) FROM orders)::int AS total, (SELECT count(*) FROM notes)::int AS notes`;
export const FIVE_FILES_APPLIED = { accounts: 10, orders: 10, total: 560, notes: 10 };

/** Rows that make a concurrent build take a while. */
export const MANY_ROWS = 200_000;

/** Five files, two of which build an index concurrently on a table of MANY_ROWS rows. */
export const CONCURRENT_FILES: Files = {
  '001_events.up.sql': `CREATE TABLE events (id int PRIMARY KEY, kind int NOT NULL, at timestamptz NOT NULL);
INSERT INTO events SELECT n, n % 97, '2024-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, ${MANY_ROWS}) n;`,
  '002_events_kind.up.sql': 'CREATE INDEX CONCURRENTLY events_kind ON events (kind);',
  '003_event_kinds.up.sql': 'CREATE TABLE event_kinds AS SELECT DISTINCT kind FROM events;',
  '004_events_at.up.sql': 'CREATE INDEX CONCURRENTLY events_at ON events (at, kind);',
  '005_event_log.up.sql': 'CREATE TABLE event_log (id int PRIMARY KEY);\nINSERT INTO event_log VALUES (1);',
};

/** An extra file with a number: `file(6, 'slow', 'SELECT 1')`. */
export function file(number: number, name: string, sql: string): Files {
  return { [`${String(number).padStart(3, '0')}_${name}.up.sql`]: `${sql}\n` };
}
