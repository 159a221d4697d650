/** The schemas of a database, and what each has where its history would be; in one message. */
import type { Candidate } from '../../../core/tenants/select.ts';
import { beforeOwnPath, settingRefused, type CheckOptions } from '../tables/check.ts';
import { COMMENT, FORMAT, journalName } from '../state/relation.ts';
import { encodingOf } from '../wire/encoding.ts';
import { BEGIN, OWN_PATH } from '../wire/own-path.ts';
import { resultsBefore, type ResultSet } from '../wire/simple-query.ts';
import { Statements } from '../wire/statements.ts';
import { literal } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';

export interface SchemaFacts extends Candidate {
  /** Of history and journal, where both can be read together with those of other schemas. */
  readonly oids: readonly [history: string, journal: string] | undefined;
  /** This role may look into the schema. */
  readonly isOpen: boolean;
  /** This role owns both, or has the rights of their owner. */
  readonly isWritable: boolean;
}

export interface SchemasResult {
  readonly facts: readonly SchemaFacts[];
  readonly backendPid: number;
  readonly serverVersion: number;
  readonly database: string;
  readonly searchPath: string;
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
}

export type SchemasOptions = Pick<CheckOptions, 'serverSettings' | 'role'> & {
  /** Of every history. */
  readonly table: string;
  /** What the comment of a history says, by its schema. */
  readonly recordedKey: (schema: string) => string;
};

/** @throws MigratorError for a setting or a role that the server refuses. */
export async function readSchemas(wire: Wire, options: SchemasOptions): Promise<SchemasResult> {
  const message = new Statements().add(BEGIN.read).add('SET LOCAL statement_timeout = 0');
  beforeOwnPath(message, options);
  message
    .add(`SELECT pg_catalog.current_setting('search_path')`, 'path')
    .add(OWN_PATH)
    .add(
      `SELECT pg_backend_pid(), current_setting('server_version_num'), current_database(), pg_is_in_recovery(),` +
        ` current_setting('default_transaction_read_only'), getdatabaseencoding()`,
      'session',
    )
    .add(schemasQuery(options.table), 'schemas')
    .add('COMMIT');
  const results = await wire.transactionAsIs(wire.encoding.encode(message.text)).catch((error: unknown) => {
    throw settingRefused(options, message.nameAt(resultsBefore(error).length), error) ?? error;
  });
  const rows = (name: string): ResultSet['rows'] => message.result(name, results)?.rows ?? [];
  const [pid, version, database, recovery, readOnly, encoding] = rows('session')[0] ?? [];
  wire.encoding = encodingOf(encoding ?? 'UTF8');
  return {
    facts: rows('schemas').map((row) => readFacts(row, wire, options)),
    backendPid: Number(pid),
    serverVersion: Number(version),
    database: database ?? '',
    searchPath: wire.encoding.decode(rows('path')[0]?.[0] ?? ''),
    isStandby: recovery === 't',
    isReadOnly: readOnly === 'on',
  };
}

/** Never schemas of PostgreSQL, or that an extension has made. */
function schemasQuery(table: string): string {
  const readable = (alias: string): string =>
    `${alias}.relkind = 'r' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(${alias}.oid, 'SELECT')`;
  const owned = (alias: string): string =>
    `pg_has_role(${alias}.relowner, 'USAGE') AND (current_setting('is_superuser') <> 'on'` +
    ` OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = ${alias}.relowner AND r.rolsuper))`;
  return (
    `SELECT n.nspname, EXISTS (SELECT FROM pg_extension x WHERE x.extnamespace = n.oid), h.oid IS NOT NULL,` +
    ` CASE WHEN ${readable('h')} THEN h.oid END, CASE WHEN ${readable('j')} THEN j.oid END, obj_description(h.oid, 'pg_class'),` +
    ` ${owned('h')} AND ${owned('j')}, has_schema_privilege(n.oid, 'USAGE')` +
    ` FROM pg_namespace n LEFT JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = ${literal(table)}` +
    ` LEFT JOIN pg_class j ON j.relnamespace = n.oid AND j.relname = ${literal(journalName(table))}` +
    ` WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend d` +
    ` WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')`
  );
}

function readFacts(
  [name, extension, exists, history, journal, comment, writable, open]: ResultSet['rows'][number],
  { encoding }: Wire,
  { recordedKey }: SchemasOptions,
): SchemaFacts {
  const schema = encoding.decode(name ?? '');
  const found = COMMENT.exec(comment ?? '')?.groups;
  const isOurs = found !== undefined && Number(found['since']) <= FORMAT && found['key'] === recordedKey(schema);
  return {
    schema,
    hasExtension: extension === 't',
    hasHistory: exists === 't',
    oids: history != null && journal != null && isOurs ? [history, journal] : undefined,
    isOpen: open === 't',
    isWritable: writable === 't',
  };
}
