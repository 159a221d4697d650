/**
 * The examples in the documentation of squawk, eugene and strong_migrations, in our own words: the bad ones are found,
 * and each rule is silent on its own good ones. What others report and Lockstep does not is in scripts/docs/peers.ts.
 */
import { expect } from 'chai';

import { EVERY, rulesIn } from '../support/rules.ts';

interface Example {
  readonly from: string;
  readonly rule: string;
  /** What is there already. */
  readonly before?: string;
  readonly bad: string;
  /** Series of files; each is another way. */
  readonly good: readonly (readonly string[])[];
}

const AUTHORS = 'CREATE TABLE authors (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, meta json);';
const PRICES = 'CREATE TABLE prices (id bigint PRIMARY KEY, price int NOT NULL);';

const EXAMPLES: readonly Example[] = [
  {
    from: 'squawk require-concurrent-index-creation, eugene E6, strong_migrations adding an index non-concurrently',
    rule: 'index-not-concurrent',
    before: AUTHORS,
    bad: 'CREATE INDEX authors_name ON authors (name);',
    good: [
      ['CREATE INDEX CONCURRENTLY authors_name ON authors (name);'],
      ['CREATE TABLE papers (title text); CREATE INDEX papers_title ON papers (title);'],
    ],
  },
  {
    from: 'strong_migrations adding a reference',
    rule: 'index-not-concurrent',
    before: AUTHORS,
    bad: 'ALTER TABLE authors ADD COLUMN city_id bigint; CREATE INDEX authors_city ON authors (city_id);',
    good: [
      [
        'ALTER TABLE authors ADD COLUMN city_id bigint;',
        'CREATE INDEX CONCURRENTLY authors_city ON authors (city_id);',
      ],
    ],
  },
  {
    from: 'squawk require-concurrent-index-deletion',
    rule: 'drop-index-not-concurrent',
    bad: 'DROP INDEX "app"."email_idx";',
    good: [['DROP INDEX CONCURRENTLY "app"."email_idx";']],
  },
  {
    from: 'squawk require-concurrent-reindex',
    rule: 'reindex-not-concurrent',
    bad: 'REINDEX INDEX authors_name;',
    good: [['REINDEX INDEX CONCURRENTLY authors_name;'], ['REINDEX (CONCURRENTLY) TABLE authors;']],
  },
  {
    from: 'squawk adding-foreign-key-constraint, strong_migrations adding a foreign key',
    rule: 'foreign-key-validated-at-once',
    bad: 'ALTER TABLE mail ADD CONSTRAINT of_user FOREIGN KEY (user_id) REFERENCES users (id);',
    good: [
      [
        'ALTER TABLE mail ADD CONSTRAINT of_user FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;',
        'ALTER TABLE mail VALIDATE CONSTRAINT of_user;',
      ],
      ['CREATE TABLE mail (id bigint PRIMARY KEY, user_id bigint, FOREIGN KEY (user_id) REFERENCES users (id));'],
    ],
  },
  {
    from: 'squawk constraint-missing-not-valid, eugene E1, strong_migrations adding a check constraint',
    rule: 'check-validated-at-once',
    before: AUTHORS,
    bad: 'ALTER TABLE authors ADD CONSTRAINT named CHECK (name IS NOT NULL);',
    good: [
      [
        'ALTER TABLE authors ADD CONSTRAINT named CHECK (name IS NOT NULL) NOT VALID;',
        'ALTER TABLE authors VALIDATE CONSTRAINT named;',
      ],
    ],
  },
  {
    from: 'squawk adding-not-nullable-field, eugene E2, strong_migrations setting NOT NULL',
    rule: 'set-not-null',
    before: AUTHORS,
    bad: 'ALTER TABLE authors ALTER COLUMN name SET NOT NULL;',
    good: [
      [
        'ALTER TABLE authors ADD CONSTRAINT named CHECK (name IS NOT NULL) NOT VALID;',
        'ALTER TABLE authors VALIDATE CONSTRAINT named;',
        'ALTER TABLE authors ALTER COLUMN name SET NOT NULL;',
      ],
      [
        'ALTER TABLE authors ADD CONSTRAINT named CHECK (name IS NOT NULL) NOT VALID;',
        // As strong_migrations writes it.
        'ALTER TABLE authors VALIDATE CONSTRAINT named; ALTER TABLE authors ALTER name SET NOT NULL; ALTER TABLE authors DROP CONSTRAINT named;',
      ],
    ],
  },
  {
    from: 'squawk disallowed-unique-constraint, eugene E7, strong_migrations adding a unique constraint',
    rule: 'constraint-builds-index',
    before: AUTHORS,
    bad: 'ALTER TABLE authors ADD CONSTRAINT one_name UNIQUE (name);',
    good: [
      [
        'CREATE UNIQUE INDEX CONCURRENTLY one_name ON authors (name);',
        'ALTER TABLE authors ADD CONSTRAINT one_name UNIQUE USING INDEX one_name;',
      ],
    ],
  },
  {
    from: 'squawk adding-serial-primary-key-field',
    rule: 'constraint-builds-index',
    bad: 'ALTER TABLE account ADD PRIMARY KEY (id);',
    good: [
      [
        'CREATE UNIQUE INDEX CONCURRENTLY account_id ON account (id);',
        'ALTER TABLE account ADD CONSTRAINT account_pk PRIMARY KEY USING INDEX account_id;',
      ],
    ],
  },
  {
    from: 'squawk disallowed-unique-constraint, inline',
    rule: 'add-column-unique',
    bad: 'ALTER TABLE shops ADD COLUMN dist_id text CONSTRAINT one_dist UNIQUE;',
    good: [
      [
        'ALTER TABLE shops ADD COLUMN dist_id text;',
        'CREATE UNIQUE INDEX CONCURRENTLY one_dist ON shops (dist_id);',
        'ALTER TABLE shops ADD CONSTRAINT one_dist UNIQUE USING INDEX one_dist;',
      ],
    ],
  },
  {
    from: 'eugene E8, strong_migrations adding an exclusion constraint',
    rule: 'exclusion-builds-index',
    before: AUTHORS,
    bad: 'ALTER TABLE authors ADD CONSTRAINT no_twins EXCLUDE (name WITH =);',
    good: [],
  },
  {
    from: 'eugene W14',
    rule: 'primary-key-over-nullable-columns',
    before: `${AUTHORS} CREATE UNIQUE INDEX names ON authors (name);`,
    bad: 'ALTER TABLE authors ADD CONSTRAINT k PRIMARY KEY USING INDEX names;',
    good: [
      [
        'ALTER TABLE authors ALTER name SET NOT NULL;',
        'ALTER TABLE authors ADD CONSTRAINT k PRIMARY KEY USING INDEX names;',
      ],
    ],
  },
  {
    from: 'eugene E15',
    rule: 'foreign-key-without-index',
    before:
      'CREATE TABLE sold (id bigint PRIMARY KEY, item bigint); CREATE INDEX first_item ON sold (item) WHERE item = 1;',
    bad: 'ALTER TABLE sold ADD FOREIGN KEY (item) REFERENCES items NOT VALID;',
    good: [
      [
        'CREATE INDEX CONCURRENTLY sold_item ON sold (item);',
        'ALTER TABLE sold ADD FOREIGN KEY (item) REFERENCES items NOT VALID;',
      ],
    ],
  },
  {
    from: 'squawk adding-required-field',
    rule: 'add-required-column',
    bad: 'ALTER TABLE recipes ADD COLUMN public boolean NOT NULL;',
    good: [['ALTER TABLE recipes ADD COLUMN public boolean NOT NULL DEFAULT true;']],
  },
  {
    from: 'squawk adding-field-with-default, strong_migrations adding a column with a volatile default value',
    rule: 'add-column-volatile-default',
    bad: 'ALTER TABLE recipes ADD COLUMN token uuid DEFAULT gen_random_uuid();',
    good: [
      [
        'ALTER TABLE recipes ADD COLUMN token uuid; ALTER TABLE recipes ALTER COLUMN token SET DEFAULT gen_random_uuid();',
      ],
      ['ALTER TABLE recipes ADD COLUMN foo integer DEFAULT 10 NOT NULL;'],
      ["ALTER TABLE recipes ADD COLUMN a timestamptz DEFAULT now(), ADD COLUMN b jsonb DEFAULT '{}'::jsonb;"],
    ],
  },
  {
    from: 'squawk adding-field-with-default, eugene E11, strong_migrations adding a stored generated column',
    rule: 'add-column-generated-stored',
    bad: 'ALTER TABLE recipes ADD COLUMN foo integer GENERATED ALWAYS AS (bar + baz) STORED;',
    good: [
      [
        'ALTER TABLE recipes ADD COLUMN foo integer;',
        `CREATE FUNCTION fill_foo() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.foo := NEW.bar + NEW.baz; RETURN NEW; END';
CREATE TRIGGER fill_foo BEFORE INSERT ON recipes FOR EACH ROW EXECUTE FUNCTION fill_foo();`,
      ],
      ['ALTER TABLE recipes ADD COLUMN foo integer GENERATED ALWAYS AS (bar + baz) VIRTUAL;'],
    ],
  },
  {
    from: 'eugene E11, strong_migrations adding an auto-incrementing column',
    rule: 'add-column-serial',
    before: PRICES,
    bad: 'ALTER TABLE prices ADD COLUMN number serial;',
    good: [['CREATE TABLE prices_2 (number bigserial PRIMARY KEY, price int NOT NULL);']],
  },
  {
    from: 'squawk changing-column-type, eugene E5 and E10, strong_migrations changing the type of a column',
    rule: 'change-column-type',
    before: PRICES,
    bad: 'ALTER TABLE prices ALTER COLUMN price SET DATA TYPE bigint;',
    good: [
      [
        'ALTER TABLE prices ADD COLUMN new_price bigint;',
        'UPDATE prices SET new_price = price WHERE new_price IS NULL;',
      ],
    ],
  },
  ...(
    [
      ['cidr', 'inet'],
      ['timestamp(3)', 'timestamp(6)'],
      ['timestamptz(3)', 'timestamptz'],
      ['time(0)', 'time(3)'],
      ['interval(3)', 'interval(6)'],
      ['interval(3)', 'interval'],
      ['numeric(8, 2)', 'numeric(10, 2)'],
      ['decimal(8, 2)', 'decimal'],
      ['varchar(20)', 'varchar(40)'],
      ['varchar(20)', 'varchar'],
      ['varchar(20)', 'text'],
      ['text', 'varchar'],
    ] as const
  ).map(([from, to]) => ({
    from: `strong_migrations: ${from} to ${to}`,
    rule: 'change-column-type',
    before: `CREATE TABLE free (a ${from});`,
    bad: 'ALTER TABLE free ALTER a TYPE bytea USING a::text::bytea;',
    good: [[`ALTER TABLE free ALTER a TYPE ${to};`]],
  })),
  {
    from: 'eugene E4, strong_migrations backfilling data',
    rule: 'data-with-schema-change',
    before: AUTHORS,
    bad: "ALTER TABLE authors ADD COLUMN kind text; UPDATE authors SET kind = 'person';",
    good: [['ALTER TABLE authors ADD COLUMN kind text;', "UPDATE authors SET kind = 'person' WHERE kind IS NULL;"]],
  },
  {
    from: 'strong_migrations backfilling data, at once',
    rule: 'update-all-rows',
    bad: "UPDATE users SET some_column = 'default_value';",
    good: [["UPDATE users SET some_column = 'default_value' WHERE id BETWEEN 1 AND 10000;"]],
  },
  {
    from: 'squawk ban-drop-column, strong_migrations removing a column',
    rule: 'drop-column',
    bad: 'ALTER TABLE users DROP COLUMN IF EXISTS some_column;',
    good: [['-- lockstep: allow=drop-column: unused since release 12\nALTER TABLE users DROP COLUMN some_column;']],
  },
  {
    from: 'squawk ban-drop-table, strong_migrations creating a table with the force option',
    rule: 'drop-table',
    bad: 'DROP TABLE IF EXISTS users CASCADE; CREATE TABLE users (id bigint);',
    good: [['CREATE TABLE users (id bigint);']],
  },
  {
    from: 'squawk renaming-table, strong_migrations renaming a table',
    rule: 'rename-table',
    bad: 'ALTER TABLE stars RENAME TO favorites;',
    good: [
      ['CREATE VIEW favorites AS SELECT * FROM stars;'],
      // A view keeps the old name.
      ['ALTER TABLE stars RENAME TO favorites; CREATE VIEW stars AS SELECT * FROM favorites;'],
    ],
  },
  {
    from: 'squawk renaming-table, its last step',
    rule: 'drop-view',
    before: 'CREATE VIEW favorites AS SELECT * FROM stars;',
    bad: 'DROP VIEW favorites;',
    good: [['BEGIN; DROP VIEW favorites; ALTER TABLE stars RENAME TO favorites; COMMIT;']],
  },
  {
    from: 'squawk renaming-column, strong_migrations renaming a column',
    rule: 'rename-column',
    bad: 'ALTER TABLE users RENAME some_column TO new_name;',
    good: [['ALTER TABLE users ADD COLUMN new_name text;']],
  },
  {
    from: 'strong_migrations renaming a schema',
    rule: 'rename-schema',
    bad: 'ALTER SCHEMA users RENAME TO customers;',
    good: [['CREATE SCHEMA customers;']],
  },
  {
    from: 'strong_migrations renaming an enum value',
    rule: 'rename-enum-value',
    bad: "ALTER TYPE status RENAME VALUE 'done' TO 'completed';",
    good: [["ALTER TYPE status ADD VALUE 'completed' AFTER 'done';"]],
  },
  {
    from: 'squawk ban-drop-database',
    rule: 'drop-database',
    bad: 'DROP DATABASE shop;',
    good: [],
  },
  {
    from: 'squawk ban-truncate-cascade',
    rule: 'drop-cascade',
    bad: 'TRUNCATE a CASCADE;',
    good: [['TRUNCATE a, b;']],
  },
  {
    from: 'squawk ban-alter-domain-with-add-constraint',
    rule: 'domain-constraint-validated-at-once',
    bad: 'ALTER DOMAIN email ADD CONSTRAINT has_at CHECK (VALUE LIKE $$%@%$$);',
    good: [['CREATE DOMAIN email AS text CONSTRAINT has_at CHECK (VALUE LIKE $$%@%$$);']],
  },
  {
    from: 'squawk require-concurrent-partition-detach',
    rule: 'detach-not-concurrent',
    bad: 'ALTER TABLE t DETACH PARTITION p;',
    good: [['ALTER TABLE t DETACH PARTITION p CONCURRENTLY;']],
  },
  {
    from: 'squawk ban-concurrent-index-creation-in-transaction',
    rule: 'concurrent-with-others',
    bad: 'ALTER TABLE u ADD a int; CREATE INDEX CONCURRENTLY mails ON users (email);',
    good: [['ALTER TABLE u ADD a int;', 'CREATE INDEX CONCURRENTLY mails ON users (email);']],
  },
  {
    from: 'squawk prefer-repack',
    rule: 'vacuum-full',
    bad: 'VACUUM FULL t;',
    good: [['VACUUM t;']],
  },
  {
    from: 'eugene E3, strong_migrations adding a json column',
    rule: 'style-json',
    bad: 'ALTER TABLE users ADD COLUMN properties json;',
    good: [['ALTER TABLE users ADD COLUMN properties jsonb;']],
  },
  {
    from: 'squawk ban-char-field',
    rule: 'style-char',
    bad: 'CREATE TABLE app_user (name char(100) NOT NULL, email character NOT NULL);',
    good: [['CREATE TABLE app_user (name varchar(100) NOT NULL, email text NOT NULL);']],
  },
  {
    from: 'squawk prefer-text-field',
    rule: 'style-varchar',
    bad: 'CREATE TABLE app_user (email varchar(100) NOT NULL);',
    good: [['CREATE TABLE app_user (email text NOT NULL);']],
  },
  {
    from: 'squawk prefer-timestamptz',
    rule: 'style-timestamp',
    bad: 'ALTER TABLE users ALTER created TYPE timestamp without time zone;',
    good: [['CREATE TABLE users (created timestamptz, modified timestamp with time zone);']],
  },
  {
    from: 'squawk prefer-bigint-over-int and prefer-bigint-over-smallint',
    rule: 'style-int-key',
    bad: 'CREATE TABLE posts (id smallserial PRIMARY KEY);',
    good: [['CREATE TABLE posts (id bigint PRIMARY KEY);']],
  },
  {
    from: 'squawk prefer-identity',
    rule: 'style-serial',
    bad: 'CREATE TABLE users (id bigserial);',
    good: [['CREATE TABLE users (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);']],
  },
];

describe('the examples of other reviewers', () => {
  for (const { from, rule, before, bad, good } of EXAMPLES) {
    const earlier = before === undefined ? [] : [before];

    it(`${from}: the bad one is found`, async () => {
      expect(await rulesIn([...earlier, bad], { levels: EVERY })).to.include(rule);
    });

    it(`${from}: ${rule} is silent on the good one`, async () => {
      for (const files of good)
        for (const position of files.keys())
          expect(await rulesIn([...earlier, ...files.slice(0, position + 1)], { levels: EVERY })).not.to.include(rule);
    });
  }
});
