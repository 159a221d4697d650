// Answers: what is migrated? The same small changes for everybody.

export interface Migration {
  /** From 1. */
  readonly number: number;
  readonly name: string;
  /** Statements that end with a semicolon. */
  readonly sql: string;
  /** What takes it back. */
  readonly undo: string;
  /** It cannot run in a transaction. */
  readonly alone?: boolean;
}

/** Tables of the size that a service has. */
export function smallTables(count: number): Migration[] {
  return Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    const table = `items_${number}`;
    return {
      number,
      name: `create_${table}`,
      sql: `CREATE TABLE ${table} (id bigint PRIMARY KEY, name text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());\n`,
      undo: `DROP TABLE ${table};\n`,
    };
  });
}
