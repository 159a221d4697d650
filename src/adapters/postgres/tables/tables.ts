/** Creates the history table and the journal, or completes those of the original Go runner; only under the lock. */
import { asOurselves, type SessionContext } from '../state/context.ts';
import { completeJournal, createJournal } from './journal-table.ts';
import { findingsQuery, readFindings, untrustedTables } from '../state/attached-objects.ts';
import { journalName, resolveRelation, tableComment, type Relation } from '../state/relation.ts';
import { readRelation, relationQueries } from '../state/relation-facts.ts';
import { Statements } from '../wire/statements.ts';
import { escapeLiteral, identifier, literal } from '../wire/sql.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import { writeTables } from '../state/use-tables.ts';

/** Default privileges may allow other roles to write SQL that the migrator runs later. */
function granteesQuery(table: string): string {
  return `SELECT DISTINCT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.oid = ${literal(table)}::regclass AND a.grantee <> c.relowner`;
}

/** A duplicate name, in whichever catalog the server finds it first. */
const MADE_MEANWHILE: ReadonlySet<string> = new Set(['23505', '42P07', '40P01']);

/** Resolves with warnings for the user. @throws MigratorError HISTORY_CONFLICT when the tables must not be written. */
export async function ensureTables(context: SessionContext): Promise<readonly string[]> {
  const { relation, wire } = context;
  const others = relation.exists || context.tenant ? [] : await otherHistories(context);
  if (!relation.complete) {
    const make = (): Promise<Relation> => wire.withTransaction(() => makeTables(context));
    // A run with another lock key creates them at the same moment: then they exist, and their comment has its key.
    context.relation = await make().catch((error: unknown) =>
      MADE_MEANWHILE.has(serverErrorOf(error)?.sqlstate ?? '') ? make() : Promise.reject(error as Error),
    );
  }
  const [sequence] = await writeTables(context, [catchUpSequence(context.relation.journal)]);
  return sequence?.rows.length === 1
    ? [
        ...others,
        `the sequence of ${context.relation.schema}.${journalName(context.relation.name)} was behind its rows, as after a restore or logical replication; it was corrected`,
      ]
    : others;
}

/**
 * Logical replication and some restores copy rows, but not the sequence. Returns a row when the sequence was behind.
 */
function catchUpSequence(journal: string): string {
  return (
    `SELECT setval(q.s, q.newest) FROM (SELECT pg_get_serial_sequence(${literal(journal)}, 'id')::regclass AS s, (SELECT max(id) FROM ${journal}) AS newest OFFSET 0) q` +
    ` WHERE q.newest > coalesce(pg_sequence_last_value(q.s), 0)`
  );
}

/** To be called in a transaction. Resolves with the tables as they are then. */
export async function makeTables(context: SessionContext): Promise<Relation> {
  const { wire } = context;
  // While we wait for a reader of the old table, later sessions queue behind us.
  await wire.message([`SET LOCAL lock_timeout = '5s'`, ...asOurselves(context)].join(';\n'));
  // Another run may have had the lock between the check and ours.
  const relation = await lookAgain(context);
  if (relation.complete) return relation;
  const { table, journal } = relation;
  await wire.message(
    [
      // A run with another lock key may create it even now.
      ...(relation.exists
        ? []
        : [
            `CREATE TABLE IF NOT EXISTS ${table} (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT pg_catalog.now())`,
          ]),
      ...(relation.hasJournal ? [] : [createJournal(journal)]),
      `LOCK TABLE ${table}, ${journal} IN ACCESS EXCLUSIVE MODE`,
    ].join(';\n'),
  );
  // They are locked, so nothing changes any more.
  const made = await lookAgain(context);
  await wire.message(
    [
      `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS checksum text`,
      ...(relation.hasJournal ? completeJournal(journal, made) : []),
      `COMMENT ON TABLE ${table} IS ${literal(tableComment(relation.recordedKey))}`,
    ].join(';\n'),
  );
  // The grants of an existing table are its owner's choice.
  for (const one of relation.exists ? [journal] : [table, journal]) await revokeDefaultGrants(context, one);
  return { ...made, exists: true, hasJournal: true, complete: true };
}

/** @throws MigratorError CONFIG_INVALID when the tables were made for another key, HISTORY_CONFLICT. */
async function lookAgain({ relation, wire }: SessionContext): Promise<Relation> {
  const { schema, name, table, journal, key, recordedKey } = relation;
  const message = new Statements();
  for (const [what, sql] of Object.entries(relationQueries({ schema, name }))) message.add(sql, what);
  message.add(
    findingsQuery('write', [table, journal].map((one) => `to_regclass(${escapeLiteral(one)})`).join(', ')),
    'findings',
  );
  const results = await wire.message(message.text);
  const made = resolveRelation({ schema, name }, { ...readRelation(message, results), key, recordedKey });
  const found = readFindings(message.result('findings', results));
  if (found.length > 0) throw untrustedTables('write', found);
  return made;
}

async function revokeDefaultGrants({ wire }: SessionContext, table: string): Promise<void> {
  const [result] = await wire.message(granteesQuery(table));
  const grantees = (result?.rows ?? []).map(([name]) => (name == null ? 'PUBLIC' : identifier(name)));
  if (grantees.length > 0) await wire.message(`REVOKE ALL ON ${table} FROM ${grantees.join(', ')}`);
}

/** Histories in other schemas: the user may have meant one of them. */
async function otherHistories({ relation, wire }: SessionContext): Promise<string[]> {
  const { schema, name } = relation;
  const [result] = await wire.message(
    `SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace` +
      ` JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0` +
      ` WHERE c.relname = ${literal(name)} AND n.nspname <> ${literal(schema)} AND d.description LIKE 'Lockstep history%' ORDER BY 1`,
  );
  const schemas = (result?.rows ?? []).map(([other]) => other ?? '');
  if (schemas.length === 0) return [];
  const shown = schemas.slice(0, 3).join(', ') + (schemas.length > 3 ? ` and ${schemas.length - 3} more` : '');
  return [
    `this run begins a history in schema ${schema}, although there is one in ${shown}: if that one is meant, stop and set --table ${schemas[0]}.${name}`,
  ];
}
