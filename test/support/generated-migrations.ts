/** Migrations from a small grammar of DDL, each with the down file that undoes it. */
import fc from 'fast-check';

export interface Generated {
  readonly up: string;
  readonly down: string;
}

/** What the migrations before have made. */
interface Ground {
  readonly tables: Table[];
  /** Counts up, for names. */
  count: number;
}

interface Table {
  name: string;
  /** May be renamed, as views show it; `note` never is in one, so that its type may change. */
  label: string;
  /** Of `note`: a varchar's. */
  length: number;
  readonly done: Set<string>;
}

type Kind = (ground: Ground, table: Table, choice: number) => Generated | undefined;

const newName = (ground: Ground, word: string): string => `${word}_${(ground.count += 1)}`;

/** Once for a table: a second time it would be the state already. */
function once(what: string, up: (table: string) => string, down: (table: string) => string): Kind {
  return (_, { name, done }) => {
    if (done.has(what)) return undefined;
    done.add(what);
    return { up: up(name), down: down(name) };
  };
}

function makes(
  word: string,
  up: (name: string, table: Table, choice: number) => string,
  down: (name: string, table: string) => string,
): Kind {
  return (ground, table, choice) => {
    const name = newName(ground, word);
    return { up: up(name, table, choice), down: down(name, table.name) };
  };
}

const TYPES = ['integer', 'text', 'numeric(10, 2)', 'timestamptz', 'jsonb', 'varchar(20)[]', 'boolean'];
const DEFAULTS = ['1', "'a'", '0.5', 'now()', "'{}'", "'{a,b}'", 'false'];
const EXPRESSIONS = ['label', 'lower(label)', '(id + 1), label DESC', 'label text_pattern_ops', 'id, (note || label)'];
const CHECKS = ["label IN ('a', 'b')", 'id > 0', "note <> '' OR label IS NULL", 'length(label) BETWEEN 1 AND 50'];

const createTable: Kind = (ground, _, choice) => {
  const name = newName(ground, 'things');
  ground.tables.push({ name, label: 'label', length: 10, done: new Set() });
  const key = ['id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY', 'id serial PRIMARY KEY', 'id integer UNIQUE'];
  return {
    up: `CREATE TABLE ${name} (${key[choice % key.length]}, label text NOT NULL DEFAULT 'x', note varchar(10), size integer CHECK (size > 0));`,
    down: `DROP TABLE ${name};`,
  };
};

const renameColumn: Kind = (ground, table) => {
  const [before, after] = [table.label, newName(ground, 'label')];
  table.label = after;
  const rename = (from: string, to: string): string => `ALTER TABLE ${table.name} RENAME ${from} TO ${to};`;
  return { up: rename(before, after), down: rename(after, before) };
};

const renameTable: Kind = (ground, table) => {
  const [before, after] = [table.name, newName(ground, 'renamed')];
  table.name = after;
  const rename = (from: string, to: string): string => `ALTER TABLE ${from} RENAME TO ${to};`;
  return { up: rename(before, after), down: rename(after, before) };
};

const widen: Kind = (_, table) => {
  const before = table.length;
  table.length += 10;
  const type = (length: number): string => `ALTER TABLE ${table.name} ALTER note TYPE varchar(${length});`;
  return { up: type(table.length), down: type(before) };
};

const partitions: Kind = (ground, _, choice) => {
  const name = newName(ground, 'parts');
  return {
    up: `CREATE TABLE ${name} (at date NOT NULL, what text) PARTITION BY RANGE (at); CREATE TABLE ${name}_1 PARTITION OF ${name} FOR VALUES FROM ('2026-01-01') TO ('2026-0${2 + (choice % 7)}-01'); CREATE INDEX ON ${name} (what);`,
    down: `DROP TABLE ${name};`,
  };
};

const withLabel = (text: string, { label }: Table): string => text.replaceAll('label', label);

const KINDS: readonly Kind[] = [
  createTable,
  createTable,
  renameColumn,
  renameTable,
  widen,
  partitions,
  makes(
    'column',
    (name, { name: table }, n) =>
      `ALTER TABLE ${table} ADD ${name} ${TYPES[n % TYPES.length]} DEFAULT ${DEFAULTS[n % TYPES.length]};`,
    (name, table) => `ALTER TABLE ${table} DROP ${name};`,
  ),
  makes(
    'index',
    (name, table, n) =>
      withLabel(
        `CREATE ${n % 2 === 0 ? '' : 'UNIQUE '}INDEX ${name} ON ${table.name} (${EXPRESSIONS[n % EXPRESSIONS.length]})${n % 3 === 0 ? ' WHERE label IS NOT NULL' : ''};`,
        table,
      ),
    (name) => `DROP INDEX ${name};`,
  ),
  makes(
    'concurrent',
    (name, table) => `CREATE INDEX CONCURRENTLY ${name} ON ${table.name} (${table.label});`,
    (name) => `DROP INDEX CONCURRENTLY ${name};`,
  ),
  makes(
    'checked',
    (name, table, n) =>
      `ALTER TABLE ${table.name} ADD CONSTRAINT ${name} CHECK (${withLabel(CHECKS[n % CHECKS.length] ?? '', table)})${n % 2 === 0 ? ' NOT VALID' : ''};`,
    (name, table) => `ALTER TABLE ${table} DROP CONSTRAINT ${name};`,
  ),
  makes(
    'child',
    (name, { name: table }) =>
      `CREATE TABLE ${name} (id bigint PRIMARY KEY, parent bigint); ALTER TABLE ${table} ADD CONSTRAINT of_${name} UNIQUE (id, size); ALTER TABLE ${name} ADD size integer, ADD FOREIGN KEY (parent, size) REFERENCES ${table} (id, size) ON DELETE CASCADE;`,
    (name, table) => `DROP TABLE ${name}; ALTER TABLE ${table} DROP CONSTRAINT of_${name};`,
  ),
  makes(
    'shown',
    (name, table) =>
      withLabel(`CREATE VIEW ${name} AS SELECT id, label AS name FROM ${table.name} WHERE label IN ('x', 'y');`, table),
    (name) => `DROP VIEW ${name};`,
  ),
  makes(
    'kept',
    (name, table) =>
      withLabel(
        `CREATE MATERIALIZED VIEW ${name} AS SELECT label, count(*) FROM ${table.name} GROUP BY 1; CREATE UNIQUE INDEX ON ${name} (label);`,
        table,
      ),
    (name) => `DROP MATERIALIZED VIEW ${name};`,
  ),
  makes(
    'touch',
    (name, table) =>
      `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE TRIGGER ${name} BEFORE UPDATE OF ${table.label} ON ${table.name} FOR EACH ROW WHEN (NEW.${table.label} IN ('a', 'b')) EXECUTE FUNCTION ${name}();`,
    (name, table) => `DROP TRIGGER ${name} ON ${table}; DROP FUNCTION ${name}();`,
  ),
  makes(
    'sum',
    (name, table) =>
      `CREATE FUNCTION ${name}(n integer) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM ${table.name} WHERE id > n; END;`,
    (name) => `DROP FUNCTION ${name}(integer);`,
  ),
  makes(
    'mood',
    (name, { name: table }) =>
      `CREATE TYPE ${name} AS ENUM ('sad', 'ok'); ALTER TABLE ${table} ADD ${name} ${name} DEFAULT 'ok';`,
    (name, table) => `ALTER TABLE ${table} DROP ${name}; DROP TYPE ${name};`,
  ),
  makes(
    'mail',
    (name) =>
      `CREATE DOMAIN ${name} AS text DEFAULT '' CHECK (VALUE LIKE '%@%'); COMMENT ON DOMAIN ${name} IS 'an address';`,
    (name) => `DROP DOMAIN ${name};`,
  ),
  makes(
    'numbers',
    (name, table) => `CREATE SEQUENCE ${name} OWNED BY ${table.name}.id;`,
    (name) => `DROP SEQUENCE ${name};`,
  ),
  makes(
    'policy',
    (name, table) => `CREATE POLICY ${name} ON ${table.name} USING (${table.label} = current_user);`,
    (name, table) => `DROP POLICY ${name} ON ${table};`,
  ),
  makes(
    'together',
    (name, table) => `CREATE STATISTICS ${name} ON id, ${table.label} FROM ${table.name};`,
    (name) => `DROP STATISTICS ${name};`,
  ),
  makes(
    'apart',
    (name) => `CREATE SCHEMA ${name}; CREATE TABLE ${name}.inside (a int);`,
    (name) => `DROP SCHEMA ${name} CASCADE;`,
  ),
  once(
    'row security',
    (table) => `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;`,
    (table) => `ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY;`,
  ),
  once(
    'replica identity',
    (table) => `ALTER TABLE ${table} REPLICA IDENTITY FULL;`,
    (table) => `ALTER TABLE ${table} REPLICA IDENTITY DEFAULT;`,
  ),
  once(
    'options',
    (table) => `ALTER TABLE ${table} SET (fillfactor = 80);`,
    (table) => `ALTER TABLE ${table} RESET (fillfactor);`,
  ),
  once(
    'not null',
    (table) => `ALTER TABLE ${table} ALTER note SET NOT NULL;`,
    (table) => `ALTER TABLE ${table} ALTER note DROP NOT NULL;`,
  ),
  once(
    'default',
    (table) => `ALTER TABLE ${table} ALTER note SET DEFAULT upper('a');`,
    (table) => `ALTER TABLE ${table} ALTER note DROP DEFAULT;`,
  ),
  once(
    'statistics',
    (table) => `ALTER TABLE ${table} ALTER note SET STATISTICS 200;`,
    (table) => `ALTER TABLE ${table} ALTER note SET STATISTICS -1;`,
  ),
  once(
    'comment',
    (table) => `COMMENT ON TABLE ${table} IS 'things'; COMMENT ON COLUMN ${table}.note IS 'why';`,
    (table) => `COMMENT ON TABLE ${table} IS NULL; COMMENT ON COLUMN ${table}.note IS NULL;`,
  ),
  once(
    'grant',
    (table) => `GRANT SELECT ON ${table} TO PUBLIC; GRANT UPDATE (note) ON ${table} TO PUBLIC;`,
    (table) => `REVOKE SELECT ON ${table} FROM PUBLIC; REVOKE UPDATE (note) ON ${table} FROM PUBLIC;`,
  ),
  // Another type of the column would bring back the storage of that type.
  (_, table) => {
    if (table.done.has('storage')) return undefined;
    table.done.add('storage');
    const storage = (how: string): string => `ALTER TABLE ${table.name} ALTER ${table.label} SET STORAGE ${how};`;
    return { up: storage('EXTERNAL'), down: storage('EXTENDED') };
  },
  once(
    'publication',
    (table) => `CREATE PUBLICATION of_${table} FOR TABLE ${table};`,
    (table) => `DROP PUBLICATION of_${table};`,
  ),
];

/** Each works on a server where those before it were applied. */
export const generatedMigrations: fc.Arbitrary<readonly Generated[]> = fc
  .array(fc.record({ kind: fc.nat(KINDS.length - 1), of: fc.nat(1000), choice: fc.nat(1000) }), {
    minLength: 25,
    maxLength: 35,
  })
  .map((steps) => {
    const ground: Ground = { tables: [], count: 0 };
    const none: Table = { name: '', label: '', length: 0, done: new Set() };
    const first = createTable(ground, none, steps.length);
    const others = steps.map(({ kind, of, choice }) => {
      const table = ground.tables[of % ground.tables.length] ?? none;
      return KINDS[kind]?.(ground, table, choice);
    });
    return [first, ...others].filter((one) => one !== undefined);
  });
