/** What a server shows while the bad example of a rule runs, and not while its good ones do: proved on PostgreSQL 14 to 18. */

type LockMode = 'ACCESS EXCLUSIVE' | 'SHARE ROW EXCLUSIVE' | 'SHARE';

interface Proof {
  /** Of each of these tables, which all have rows. */
  readonly on?: readonly string[];
  /** Statements that the server runs first, beside the example's own. */
  readonly setUp?: string;
  /** The oldest server that has the statement. */
  readonly since?: number;
  /** The good example is right to fail, with this SQLSTATE. */
  readonly goodFails?: string;
  /** Why the good example may do the same. */
  readonly goodToo?: string;
}

export type Claim = Proof &
  (
    | { readonly lock: LockMode; readonly work?: 'scans' | 'rewrites' | 'changes rows' }
    /** The example ends with this SQLSTATE. */
    | { readonly fails: string }
    /** The last release still runs this, which then fails. */
    | { readonly breaks: string }
    /** This query answers true after the example, and false or an error after the good ones. */
    | { readonly shows: string }
  );

const REWRITES = { lock: 'ACCESS EXCLUSIVE', work: 'rewrites', on: ['orders'] } as const;
const SCANS = { lock: 'ACCESS EXCLUSIVE', work: 'scans', on: ['orders'] } as const;

export const CLAIMS: Readonly<Record<string, Claim>> = {
  'index-not-concurrent': { lock: 'SHARE', work: 'scans', on: ['orders'] },
  'index-if-not-exists': {
    setUp:
      "CREATE INDEX orders_customer ON orders (customer_id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_customer'::regclass",
    goodFails: '42P07',
    shows: "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = 'orders_customer'::regclass",
  },
  'drop-index-not-concurrent': { lock: 'ACCESS EXCLUSIVE', on: ['orders'] },
  'reindex-not-concurrent': { lock: 'SHARE', work: 'scans', on: ['orders'] },
  'foreign-key-validated-at-once': { lock: 'SHARE ROW EXCLUSIVE', work: 'scans', on: ['orders', 'customers'] },
  'check-validated-at-once': SCANS,
  'not-null-constraint-validated-at-once': { ...SCANS, since: 18 },
  'set-not-null': SCANS,
  'constraint-builds-index': { ...SCANS, on: ['customers'] },
  'exclusion-builds-index': SCANS,
  'primary-key-over-nullable-columns': { ...SCANS, on: ['links'] },
  'validate-in-same-transaction': SCANS,
  'foreign-key-without-index': {
    shows:
      "BEGIN; DELETE FROM customers WHERE id = 45; SELECT seq_scan > 0 FROM pg_stat_xact_user_tables WHERE relid = 'orders'::regclass",
  },
  'add-required-column': { fails: '23502' },
  'add-column-volatile-default': REWRITES,
  'add-column-serial': REWRITES,
  'add-column-identity': REWRITES,
  'add-column-generated-stored': REWRITES,
  'add-column-check': SCANS,
  'add-column-unique': SCANS,
  'add-column-foreign-key': SCANS,
  'change-column-type': REWRITES,
  'vacuum-full': REWRITES,
  cluster: REWRITES,
  'set-logged': REWRITES,
  'set-tablespace': REWRITES,
  'set-access-method': { ...REWRITES, since: 15 },
  'set-expression': { ...REWRITES, on: ['boxes'], since: 17 },
  'refresh-not-concurrent': { lock: 'ACCESS EXCLUSIVE', on: ['revenue'] },
  'drop-table': { breaks: 'SELECT id FROM old_orders' },
  'drop-column': { breaks: 'SELECT name FROM customers' },
  'drop-view': { breaks: 'SELECT id FROM open_orders' },
  'drop-sequence': { breaks: "SELECT nextval('invoice_number')" },
  'drop-function': { breaks: 'SELECT net(120)' },
  'drop-type': { breaks: "SELECT ROW('Berlin')::address" },
  'drop-schema': { breaks: 'CREATE TABLE old_shop.orders (id bigint)' },
  'drop-cascade': { breaks: 'SELECT id FROM open_orders', goodToo: 'the file names what it drops' },
  truncate: { lock: 'ACCESS EXCLUSIVE', on: ['orders'] },
  'rename-table': { breaks: 'SELECT email FROM customers' },
  'rename-column': { breaks: 'SELECT name FROM customers' },
  'rename-view': { breaks: 'SELECT id FROM open_orders' },
  'rename-sequence': { breaks: "SELECT nextval('invoice_number')" },
  'rename-function': { breaks: 'SELECT net(120)' },
  'rename-type': { breaks: "SELECT ROW('Berlin')::address" },
  'rename-schema': { breaks: 'CREATE TABLE old_shop.orders (id bigint)' },
  'rename-enum-value': { breaks: "SELECT 'paid'::order_state" },
  'set-schema': { breaks: 'SELECT email FROM customers' },
  'enum-value-used-at-once': { fails: '55P04' },
  'change-type-in-use': { setUp: 'CREATE TABLE places (at address)', fails: '0A000' },
  'domain-constraint-validated-at-once': {
    setUp: 'INSERT INTO scores SELECT n FROM generate_series(1, 100) n',
    lock: 'SHARE',
    work: 'scans',
    on: ['scores'],
  },
  'detach-not-concurrent': { lock: 'ACCESS EXCLUSIVE', on: ['events'] },
  'attach-without-check': { ...SCANS, on: ['events_2025'] },
  'data-with-schema-change': { lock: 'ACCESS EXCLUSIVE', work: 'changes rows', on: ['orders'] },
  'update-all-rows': {
    shows: "SELECT NOT EXISTS (SELECT FROM orders WHERE state <> 'open')",
  },
  'delete-all-rows': { shows: 'SELECT NOT EXISTS (SELECT FROM orders)' },
  'create-trigger': { lock: 'SHARE ROW EXCLUSIVE', work: 'changes rows', on: ['orders'] },
  'create-policy': { lock: 'ACCESS EXCLUSIVE', work: 'changes rows', on: ['orders'] },
};

/** Rules without a claim about the server, and why. */
export const NOT_PROVED: Readonly<Record<string, string>> = {
  'drop-database': 'the statement says it',
  'row-security': 'the tests of the rule itself ask as another role',
  'concurrent-with-others': 'it is about how Lockstep runs the file',
  'temporary-table-filled-again': 'it is about how Lockstep runs the file',
  'missing-down': 'it is about what files there are',
  'ddl-in-do': 'it is about what the parser sees',
};
