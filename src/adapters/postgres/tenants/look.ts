/** What is applied in many schemas, and who works in which. */
import type { AppliedVersion } from '../../../core/history.ts';
import type { Holder } from '../../../core/runner.ts';
import type { TenantLook } from '../../../core/tenants/ports.ts';
import { derivedKey, journalName } from '../state/relation.ts';
import { OWN_LOCK_TIMEOUT_MS } from '../state/settings.ts';
import { inPartQuery, readInPart } from '../tables/progress-facts.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { literal, qualified } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';
import type { SchemaFacts } from './schemas.ts';
import { inSegments, type SegmentAnswer, type SegmentUse } from './segments.ts';

export interface LookOptions extends Pick<SegmentUse, 'table' | 'role'> {
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
  const read = (query: (schema: string) => string): SegmentUse => ({
    ...options,
    access: 'read',
    lockTimeoutMs: OWN_LOCK_TIMEOUT_MS,
    statements: (schemas) => [schemas.map((schema, index) => `SELECT ${index}, ${query(schema)}`).join('\nUNION ALL ')],
  });
  // The holders before the histories: what a rollback has changed since is seen there.
  const state = await inSegments(
    wire,
    readable,
    read((schema) => stateQuery(schema, options)),
    HOLDERS,
  );
  const holders = readHolders(state.first, wire);
  const rows = rowsOf(state.answers);
  // Only where a file has run statement by statement: to plan this query takes longer than all others together.
  const suspects = readable.filter(({ schema }) => rows.get(schema)?.[2] === 't');
  const parts = rowsOf(
    (
      await inSegments(
        wire,
        suspects,
        read((schema) => inPartOf(schema, options)),
      )
    ).answers,
  );
  const histories = new Histories(wire);
  const looks = new Map<string, TenantLook>();
  for (const { schema, hasHistory, isOpen } of facts) {
    const holder = holders.get(derivedKey(schema, options.table));
    const [applied, seen, isSuspect] = rows.get(schema) ?? [];
    const part = isSuspect === 't' ? parts.get(schema) : [];
    if (!hasHistory && isOpen)
      looks.set(schema, { history: { exists: false, applied: [] }, journal: undefined, holder });
    else if (applied !== undefined && part)
      looks.set(schema, {
        history: { exists: true, applied: histories.read(applied ?? '[]') },
        journal: { releaseSeen: seen === 't', inPart: readParts(part[0], wire) },
        holder,
      });
  }
  return { looks, holders };
}

/** One row of each schema. */
function rowsOf(answers: readonly SegmentAnswer[]): ReadonlyMap<string, readonly (string | null)[]> {
  const rows = new Map<string, readonly (string | null)[]>();
  for (const { segment, result } of answers)
    for (const [index, ...row] of result?.rows ?? []) rows.set(segment[Number(index)]?.schema ?? '', row);
  return rows;
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
