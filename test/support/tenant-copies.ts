/** Many schemas that are as if a run had applied all in them, in the time that making their tables takes. */

/** Makes `t0002` and so on, by number, with the history that `t0001` has; 50 in a transaction. */
export function copiesOf(from: number, to: number): string {
  const columns = 'run, event, command, version, direction, release, checksum';
  return (
    `DO $$ BEGIN FOR i IN ${from}..${to} LOOP EXECUTE format('CREATE SCHEMA %1$s;` +
    ` CREATE TABLE %1$s.schema_migrations (LIKE t0001.schema_migrations INCLUDING ALL);` +
    ` INSERT INTO %1$s.schema_migrations SELECT * FROM t0001.schema_migrations;` +
    ` COMMENT ON TABLE %1$s.schema_migrations IS %2$L;` +
    ` CREATE TABLE %1$s.schema_migrations_journal (LIKE t0001.schema_migrations_journal INCLUDING ALL);` +
    ` INSERT INTO %1$s.schema_migrations_journal (${columns}) SELECT ${columns} FROM t0001.schema_migrations_journal',` +
    ` 't' || lpad(i::text, greatest(4, length(i::text)), '0'), obj_description('t0001.schema_migrations'::regclass, 'pg_class'));` +
    ` IF i % 50 = 0 THEN COMMIT; END IF; END LOOP; END $$`
  );
}
