// Answers: what do other reviewers of PostgreSQL migrations say about the hazards that the rules of `validate` find?
// squawk is run by test/unit/second-opinion.test.ts; the others' columns are what their documentation names.

interface Peers {
  readonly squawk?: string;
  readonly eugene?: string;
  readonly strong?: string;
}

/** By the id of our rule: what each reports for the rule's bad example. */
export const PEERS: Readonly<Record<string, Peers>> = {
  'index-not-concurrent': {
    squawk: 'require-concurrent-index-creation',
    eugene: 'E6',
    strong: 'adding an index non-concurrently',
  },
  'drop-index-not-concurrent': {
    squawk: 'require-concurrent-index-deletion',
    strong: 'removing an index non-concurrently (opt-in)',
  },
  'reindex-not-concurrent': { squawk: 'require-concurrent-reindex' },
  'foreign-key-validated-at-once': {
    squawk: 'adding-foreign-key-constraint, constraint-missing-not-valid',
    eugene: 'E1',
    strong: 'adding a foreign key',
  },
  'check-validated-at-once': {
    squawk: 'constraint-missing-not-valid',
    eugene: 'E1',
    strong: 'adding a check constraint',
  },
  'not-null-constraint-validated-at-once': { squawk: 'constraint-missing-not-valid' },
  'set-not-null': { squawk: 'adding-not-nullable-field', eugene: 'E2', strong: 'setting NOT NULL' },
  'constraint-builds-index': {
    squawk: 'constraint-missing-not-valid, disallowed-unique-constraint',
    eugene: 'E7',
    strong: 'adding a unique constraint',
  },
  'exclusion-builds-index': {
    squawk: 'constraint-missing-not-valid',
    eugene: 'E8',
    strong: 'adding an exclusion constraint',
  },
  'primary-key-over-nullable-columns': { eugene: 'W14' },
  'validate-in-same-transaction': { squawk: 'constraint-missing-not-valid', eugene: 'E4' },
  'foreign-key-without-index': { eugene: 'E15' },
  'add-required-column': { squawk: 'adding-required-field' },
  'add-column-volatile-default': {
    squawk: 'adding-field-with-default',
    eugene: 'E10 (with a server)',
    strong: 'adding a column with a volatile default',
  },
  'add-column-serial': { squawk: 'prefer-identity', eugene: 'E11', strong: 'adding an auto-incrementing column' },
  'add-column-identity': { squawk: 'adding-field-with-default', eugene: 'E11' },
  'add-column-generated-stored': {
    squawk: 'adding-field-with-default',
    eugene: 'E11',
    strong: 'adding a stored generated column',
  },
  'add-column-check': { eugene: 'E1' },
  'add-column-unique': { squawk: 'disallowed-unique-constraint', eugene: 'E7' },
  'add-column-foreign-key': { squawk: 'adding-foreign-key-constraint', strong: 'adding a foreign key' },
  'change-column-type': { squawk: 'changing-column-type', eugene: 'E5', strong: 'changing the type of a column' },
  'drop-table': { squawk: 'ban-drop-table' },
  'drop-column': { squawk: 'ban-drop-column', strong: 'removing a column' },
  'drop-cascade': { squawk: 'ban-drop-column' },
  'drop-database': { squawk: 'ban-drop-database' },
  'rename-table': { squawk: 'renaming-table', strong: 'renaming a table' },
  'rename-column': { squawk: 'renaming-column', strong: 'renaming a column' },
  'rename-schema': { strong: 'renaming a schema' },
  'rename-enum-value': { strong: 'renaming an enum value' },
  'domain-constraint-validated-at-once': { squawk: 'ban-alter-domain-with-add-constraint' },
  'detach-not-concurrent': { squawk: 'require-concurrent-partition-detach' },
  'data-with-schema-change': { eugene: 'E4', strong: 'backfilling data (described, not detected)' },
  'create-policy': { eugene: 'E4' },
  'concurrent-with-others': { squawk: 'ban-concurrent-index-creation-in-transaction' },
  'style-json': { eugene: 'E3', strong: 'adding a json column' },
  'style-char': { squawk: 'ban-char-field' },
  'style-varchar': { squawk: 'prefer-text-field' },
  'style-timestamp': { squawk: 'prefer-timestamp-tz' },
  'style-int-key': { squawk: 'prefer-bigint-over-int' },
  'style-serial': { squawk: 'prefer-identity' },
};

/** What squawk reports for a good example of a rule, and why Lockstep is silent. */
export const ONLY_SQUAWK_ON_GOOD: readonly (readonly [rule: string, squawk: string, reason: string])[] = [
  ['set-not-null', 'adding-not-nullable-field', 'a valid CHECK proves the column, so PostgreSQL skips the scan'],
  ['change-column-type', 'changing-column-type', 'varchar becomes text without a rewrite'],
  ['drop-table', 'ban-drop-table', 'the file itself has made the table'],
  ['drop-column', 'ban-drop-not-null', 'DROP NOT NULL blocks for a moment and breaks no reader that handles NULL'],
  ['rename-enum-value', 'require-enum-value-ordering', 'the order of a value is a matter of the application'],
  ['enum-value-used-at-once', 'require-enum-value-ordering', 'the order of a value is a matter of the application'],
  [
    'domain-constraint-validated-at-once',
    'ban-alter-domain-with-add-constraint',
    'NOT VALID checks no row that is there',
  ],
  ['add-column-check', 'prefer-bigint-over-int', 'a column that is no key may be an int'],
  ['set-expression', 'prefer-bigint-over-int', 'a column that is no key may be an int'],
];

/** Rules of others without a counterpart here, and why. */
export const ONLY_OTHERS: readonly (readonly [peer: string, rule: string, reason: string])[] = [
  ['squawk', 'require-lock-timeout, require-statement-timeout', '`up` sets a limit for each table lock, and retries'],
  [
    'squawk',
    'prefer-robust-stmts',
    'a file is one transaction, or is resumed by the journal; IF NOT EXISTS accepts an INVALID index',
  ],
  [
    'squawk',
    'transaction-nesting, ban-uncommitted-transaction',
    '`up` owns the transaction, and refuses a BEGIN without COMMIT',
  ],
  ['squawk', 'ban-create-domain-with-constraint', 'a new domain blocks nobody'],
  ['squawk', 'adding-serial-primary-key-field', 'the same as constraint-builds-index'],
  ['squawk', 'prefer-repack', 'REPACK needs PostgreSQL 19'],
  ['squawk', 'require-table-schema, identifier-too-long', 'the search path and the names of a file are its own matter'],
  ['squawk', 'ban-duplicate-column-assignments', 'PostgreSQL refuses the statement'],
  ['squawk', 'prefer-bigint-over-smallint', 'style-int-key finds it where the column is a key'],
  ['squawk', 'ban-truncate-cascade', 'truncate and drop-cascade find it'],
  ['eugene', 'E9', '`up` sets a limit for each table lock'],
  [
    'eugene',
    'E4 for every statement',
    'only changes of many rows are reported, because short statements in one transaction are normal',
  ],
  ['eugene', 'W12', 'two ALTER TABLE of one table in one transaction wait for its lock once'],
  ['eugene', 'W13', 'an enum is a choice of design'],
  ['eugene', 'E15 in CREATE TABLE', 'a later file may create the index; ADD CONSTRAINT is checked'],
  ['strong_migrations', 'keeping non-unique indexes to three columns', 'a choice of design'],
  ['strong_migrations', 'creating a table with the force option', 'it drops the table, which drop-table finds'],
];
