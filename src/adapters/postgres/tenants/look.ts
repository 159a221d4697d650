/**
 * What is applied in many schemas: one message of read-only transactions of a few schemas each, as one transaction over
 * all would fill the server's lock table at its default size.
 */
import type { AppliedVersion } from '../../../core/history.ts';
import type { Holder } from '../../../core/runner.ts';
import type { TenantLook } from '../../../core/tenants/ports.ts';
import { guard } from '../state/attached-objects.ts';
import { derivedKey, journalName } from '../state/relation.ts';
import { OWN_LOCK_TIMEOUT_MS } from '../state/settings.ts';
import { inPartQuery, readInPart } from '../tables/progress-facts.ts';
import { BEGIN, OWN_PATH } from '../wire/own-path.ts';
import { resultsBefore, type ResultSet } from '../wire/simple-query.ts';
import { Statements } from '../wire/statements.ts';
import { literal, qualified } from '../wire/sql.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import type { Wire } from '../wire/wire.ts';
import type { SchemaFacts } from './schemas.ts';

/** Schemas of one transaction: about eight locks each, of the 6,400 that a server has at its default. */
const SEGMENT = 50;

export interface LookOptions {
  readonly table: string;
  readonly release: string | undefined;
}

/** By key, who holds it exclusively in this database. */
type Holders = ReadonlyMap<string, Holder>;

interface Looked {
  readonly looks: ReadonlyMap<string, TenantLook>;
  readonly holders: Holders;
}

/** Schemas that cannot be read so are left out: whoever looks at them one by one learns why. */
export async function lookAtSchemas(wire: Wire, facts: readonly SchemaFacts[], options: LookOptions): Promise<Looked> {
  const readable = facts.filter(({ oids }) => oids);
  // Before the histories: what a rollback has changed since is seen there.
  const { rows, holders } = await inSegments(wire, readable, options, (one) => stateQuery(one, options));
  // Only where a file has run statement by statement: to plan this query takes longer than all others together.
  const suspects = readable.filter(({ schema }) => rows.get(schema)?.[2] === 't');
  const parts = await inSegments(wire, suspects, options, (one) => inPartOf(one, options));
  const histories = new Histories(wire);
  const looks = new Map<string, TenantLook>();
  for (const { schema, hasHistory } of facts) {
    const holder = holders.get(derivedKey(schema, options.table));
    const [applied, seen, isSuspect] = rows.get(schema) ?? [];
    const part = isSuspect === 't' ? parts.rows.get(schema) : [];
    if (!hasHistory) looks.set(schema, { history: { exists: false, applied: [] }, journal: undefined, holder });
    else if (applied !== undefined && part)
      looks.set(schema, {
        history: { exists: true, applied: histories.read(applied ?? '[]') },
        journal: { releaseSeen: seen === 't', inPart: readParts(part[0], wire) },
        holder,
      });
  }
  return { looks, holders };
}

type Row = readonly (string | null)[];

/** One row of each schema, and who holds which keys. */
async function inSegments(
  wire: Wire,
  facts: readonly SchemaFacts[],
  { table }: LookOptions,
  query: (schema: string) => string,
): Promise<{ readonly rows: ReadonlyMap<string, Row>; readonly holders: Holders }> {
  const rows = new Map<string, Row>();
  let left = Array.from({ length: Math.ceil(facts.length / SEGMENT) }, (_, index) =>
    facts.slice(index * SEGMENT, (index + 1) * SEGMENT),
  );
  let holders: Holders | undefined;
  while (holders === undefined || left.length > 0) {
    const message = new Statements();
    if (!holders) message.add(BEGIN.read).add(OWN_PATH).add(HOLDERS, 'holders').add('COMMIT');
    for (const [index, segment] of left.entries()) addSegment(message, segment, { table, query, name: `${index}` });
    const results = await send(wire, message);
    holders ??= readHolders(message.result('holders', results), wire);
    const answers = left.map((segment, index) => [segment, message.result(`${index}`, results)] as const);
    for (const [segment, result] of answers)
      for (const [index, ...row] of result?.rows ?? []) rows.set(segment[Number(index)]?.schema ?? '', row);
    // The server ends a message at its first error: what comes after that segment is sent again, without it.
    const failed = answers.findIndex(([, result]) => !result);
    left = failed === -1 ? [] : left.slice(failed + 1);
  }
  return { rows, holders };
}

async function send(wire: Wire, message: Statements): Promise<readonly ResultSet[]> {
  try {
    return await wire.transactionAsIs(wire.encoding.encode(message.text));
  } catch (error) {
    if (!serverErrorOf(error)) throw error;
    return resultsBefore(error);
  }
}

interface Segment {
  readonly table: string;
  readonly query: (schema: string) => string;
  readonly name: string;
}

function addSegment(message: Statements, segment: readonly SchemaFacts[], { table, query, name }: Segment): void {
  const tables = segment.flatMap(({ schema }) => [qualified(schema, table), qualified(schema, journalName(table))]);
  const oids = segment.flatMap((one) => one.oids ?? []).join(', ');
  message
    .add(BEGIN.read)
    .add(OWN_PATH)
    .add(
      `SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '${OWN_LOCK_TIMEOUT_MS}', true)`,
    )
    .add(`LOCK TABLE ${tables.join(', ')} IN ACCESS SHARE MODE`)
    .add(guard('read', oids, 'plain'))
    .add(segment.map(({ schema }, index) => `SELECT ${index}, ${query(schema)}`).join('\nUNION ALL '), name)
    .add('COMMIT');
}

/** What is applied, whether the release is known, and whether a file may be in part. */
function stateQuery(schema: string, { table, release }: LookOptions): string {
  const journal = qualified(schema, journalName(table));
  const seen = release === undefined ? 'true' : `EXISTS (SELECT FROM ${journal} WHERE release = ${literal(release)})`;
  const suspect = `EXISTS (SELECT FROM ${journal} WHERE statement IS NOT NULL)`;
  return `json_agg(json_build_array(version, checksum))::text, ${seen}, ${suspect} FROM ONLY ${qualified(schema, table)}`;
}

function inPartOf(schema: string, { table }: LookOptions): string {
  const query = inPartQuery(qualified(schema, journalName(table)), { withSql: false });
  return `(SELECT json_agg(row_to_json(p)) FROM (${query}) p)::text`;
}

/** Most histories are alike: each text is read once, and equal ones are the same array. */
class Histories {
  readonly #wire: Wire;
  readonly #known = new Map<string, readonly AppliedVersion[]>();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  read(text: string): readonly AppliedVersion[] {
    const known = this.#known.get(text);
    if (known) return known;
    const rows = JSON.parse(this.#wire.encoding.decode(text)) as readonly (readonly [string, string | null])[];
    const applied = rows.map(([version, checksum]) => ({ version, checksum: checksum ?? undefined }));
    this.#known.set(text, applied);
    return applied;
  }
}

function readParts(text: string | null | undefined, { encoding }: Wire): ReturnType<typeof readInPart> {
  if (text == null) return [];
  const rows = JSON.parse(encoding.decode(text)) as readonly Readonly<Record<string, unknown>>[];
  const cells = ['version', 'direction', 'event', 'statement', 'checksum'];
  const textOf = (value: unknown): string | null =>
    typeof value === 'string' || typeof value === 'number' ? String(value) : null;
  return readInPart({ command: 'SELECT', rows: rows.map((row) => cells.map((cell) => textOf(row[cell]))) });
}

/** The function behind pg_locks, read once for all schemas. */
const HOLDERS =
  `SELECT (l.classid::bigint << 32) | l.objid::bigint, l.pid, (SELECT a.application_name FROM pg_stat_get_activity(l.pid) a)` +
  ` FROM pg_lock_status() l WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.mode = 'ExclusiveLock'` +
  ` AND l.database = (SELECT m.datid FROM pg_stat_get_activity(pg_backend_pid()) m)`;

function readHolders(result: ResultSet | undefined, { encoding }: Wire): Holders {
  return new Map(
    (result?.rows ?? []).map(([key, pid, name]) => [
      key ?? '',
      { pid: Number(pid), applicationName: encoding.decode(name ?? '') },
    ]),
  );
}
