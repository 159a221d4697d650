// Answers: what does the directory of a service look like after some years? Generated: tables, columns, indexes, foreign
// keys, functions, triggers, views and data.
import type { Migration } from './migrations.ts';

/** One kind of change after the other, for one table after the other. */
const CHANGES: readonly ((table: string) => Pick<Migration, 'sql' | 'undo'>)[] = [
  (table) => ({
    sql: `CREATE TABLE ${table} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL,
  name text NOT NULL,
  state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'active', 'closed')),
  total numeric(12, 2) NOT NULL DEFAULT 0,
  details jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
COMMENT ON TABLE ${table} IS 'what customers have';
`,
    undo: `DROP TABLE ${table};\n`,
  }),
  (table) => ({
    sql: `CREATE INDEX ${table}_customer ON ${table} (customer_id);
CREATE INDEX ${table}_open ON ${table} (created_at) WHERE state <> 'closed';
CREATE UNIQUE INDEX ${table}_name ON ${table} (customer_id, lower(name));
`,
    undo: `DROP INDEX ${table}_customer, ${table}_open, ${table}_name;\n`,
  }),
  (table) => ({
    sql: `INSERT INTO ${table} (customer_id, name, total, details)
SELECT n % 97, 'item ' || n, n * 1.5, jsonb_build_object('source', 'import', 'number', n)
  FROM generate_series(1, 500) n;
`,
    undo: `DELETE FROM ${table};\n`,
  }),
  (table) => ({
    sql: `CREATE FUNCTION touch_${table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  IF NEW.state = 'closed' AND NEW.total < 0 THEN
    RAISE EXCEPTION 'a closed item has no debt';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER touch BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION touch_${table}();
`,
    undo: `DROP TRIGGER touch ON ${table};\nDROP FUNCTION touch_${table}();\n`,
  }),
  (table) => ({
    sql: `ALTER TABLE ${table} ADD COLUMN priority smallint NOT NULL DEFAULT 0;
ALTER TABLE ${table} ADD COLUMN parent_id bigint REFERENCES ${table} (id);
UPDATE ${table} SET priority = 1, state = 'active' WHERE total > 300;
`,
    undo: `ALTER TABLE ${table} DROP COLUMN priority, DROP COLUMN parent_id;\n`,
  }),
  (table) => ({
    sql: `CREATE VIEW open_${table} AS
  SELECT id, customer_id, name, total, priority FROM ${table} WHERE state <> 'closed' ORDER BY priority DESC;
ALTER TABLE ${table} ADD CONSTRAINT ${table}_total CHECK (total >= 0) NOT VALID;
ALTER TABLE ${table} VALIDATE CONSTRAINT ${table}_total;
`,
    undo: `DROP VIEW open_${table};\nALTER TABLE ${table} DROP CONSTRAINT ${table}_total;\n`,
  }),
];

/** `items_1` gets all its changes, then `items_2`, … */
export function realFiles(count: number): Migration[] {
  return Array.from({ length: count }, (_, index) => {
    const table = `items_${Math.floor(index / CHANGES.length) + 1}`;
    const kind = index % CHANGES.length;
    const change = CHANGES[kind]?.(table) ?? { sql: '', undo: '' };
    return { number: index + 1, name: `change_${kind + 1}_of_${table}`, ...change };
  });
}

/** How many tables `realFiles` makes. */
export function tablesOf(count: number): number {
  return Math.ceil(count / CHANGES.length);
}
