/** Looks at a scratch database: tables, their locks and storage, and the rows that seeds have given them. */
import { MigratorError } from '../../../core/errors.ts';
import type { RowSum, TableColumns, TableLock, Trial, TrialTable } from '../../../core/scratch.ts';
import type { TableName } from '../../../core/table-name.ts';
import type { Connect, Connected } from '../connection/connected.ts';
import { identifier, literal } from '../wire/sql.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import { Wire } from '../wire/wire.ts';

const CHANNEL = 'lockstep_prove';
/** A payload has less than 8,000 bytes (PostgreSQL manual, "NOTIFY"). */
const MAX_PAYLOAD = 7_900;

/** Weakest first (PostgreSQL manual, "Table-Level Locks"). */
const MODES = [
  ['AccessShareLock', 'ACCESS SHARE'],
  ['RowShareLock', 'ROW SHARE'],
  ['RowExclusiveLock', 'ROW EXCLUSIVE'],
  ['ShareUpdateExclusiveLock', 'SHARE UPDATE EXCLUSIVE'],
  ['ShareLock', 'SHARE'],
  ['ShareRowExclusiveLock', 'SHARE ROW EXCLUSIVE'],
  ['ExclusiveLock', 'EXCLUSIVE'],
  ['AccessExclusiveLock', 'ACCESS EXCLUSIVE'],
] as const;

/** `{"AccessExclusiveLock": [16402]}`, delivered when the transaction commits. */
const WITNESS = `SELECT pg_catalog.pg_notify('${CHANNEL}', (SELECT CASE WHEN pg_catalog.length(t) > ${MAX_PAYLOAD} THEN '' ELSE t END FROM (SELECT coalesce(pg_catalog.json_object_agg(mode, oids)::text, '{}') AS t FROM (SELECT mode, pg_catalog.json_agg(DISTINCT relation::bigint) AS oids FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND relation >= 16384 GROUP BY mode) m) w))`;

export class PostgresTrial implements Trial {
  readonly witness = WITNESS;
  readonly #connected: Connected;
  readonly #wire: Wire;
  readonly #history: TableName;
  #seen: string | undefined;

  private constructor(connected: Connected, history: TableName) {
    this.#connected = connected;
    this.#wire = new Wire(connected.client);
    this.#history = history;
    this.#wire.listen('notification', ({ payload }: { readonly payload?: string }) => (this.#seen = payload));
    this.#wire.keepAwake();
  }

  static async open(connect: Connect, history: TableName, signal: AbortSignal): Promise<PostgresTrial> {
    const trial = new PostgresTrial(await connect('lockstep-prove', signal), history);
    await trial.#wire.message(`LISTEN ${CHANNEL}`);
    return trial;
  }

  watch(): void {
    this.#seen = undefined;
  }

  async tables(): Promise<readonly TrialTable[]> {
    const { name } = this.#history;
    const [found] = await this.#wire.message(
      `SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), nullif(c.relfilenode, 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace` +
        ` WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relname NOT IN (${literal(name)}, ${literal(`${name}_journal`)})`,
    );
    return (found?.rows ?? []).map(([oid, table, storage]) => ({
      oid: oid ?? '',
      name: table ?? '',
      ...(storage != null && { storage }),
    }));
  }

  locksOn(tables: readonly TrialTable[]): readonly TableLock[] | undefined {
    if (this.#seen === undefined || this.#seen === '') return undefined;
    const seen = JSON.parse(this.#seen) as Readonly<Record<string, readonly number[]>>;
    return tables.flatMap(({ oid, name }) => {
      const strongest = MODES.findLast(([mode]) => seen[mode]?.includes(Number(oid)) === true);
      return strongest ? [{ table: name, lock: strongest[1] }] : [];
    });
  }

  async load(sql: string): Promise<readonly string[]> {
    try {
      await this.#wire.asIs('BEGIN');
      await this.#wire.asIs(sql, { promptly: false, keepRows: false });
      const [found] = await this.#wire.asIs(
        `SELECT quote_ident(schemaname) || '.' || quote_ident(relname) FROM pg_catalog.pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd > 0`,
      );
      await this.#wire.asIs('COMMIT; RESET ALL');
      return (found?.rows ?? []).flatMap(([name]) => name ?? []);
    } catch (error) {
      const server = serverErrorOf(error);
      await this.#wire.asIs('ROLLBACK').catch(() => undefined);
      if (!server) throw error;
      throw new MigratorError('MIGRATIONS_INVALID', 'a seed file failed', { server, cause: error });
    }
  }

  async columns(tables: readonly string[]): Promise<TableColumns> {
    const [found] = await this.#wire.message(
      `SELECT t.name, a.attname FROM unnest(ARRAY[${tables.map(literal).join(', ')}]::text[]) t(name) JOIN pg_attribute a ON a.attrelid = to_regclass(t.name) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2`,
    );
    const columns = new Map<string, string[]>();
    for (const [name, column] of found?.rows ?? [])
      if (name != null && column != null) columns.set(name, [...(columns.get(name) ?? []), column]);
    return columns;
  }

  async sums(columns: TableColumns): Promise<ReadonlyMap<string, RowSum>> {
    if (columns.size === 0) return new Map();
    const results = await this.#wire.message([...columns].map(([name, list]) => sumOf(name, list)).join(';\n'), {
      promptly: false,
    });
    return new Map(
      [...columns.keys()].map((name, at) => {
        const [count, checksum] = results[at]?.rows[0] ?? [];
        return [name, { count: count ?? '', checksum: checksum ?? '' }];
      }),
    );
  }

  async close(): Promise<void> {
    this.#wire.detach();
    await this.#connected.release({ untouched: false, idle: false }).catch(() => undefined);
  }
}

/** Of all rows in any order. */
function sumOf(table: string, columns: readonly string[]): string {
  const row = `sha256(convert_to(ROW(${columns.map(identifier).join(', ')})::text, 'UTF8'))`;
  return `SELECT count(*), encode(sha256(coalesce(string_agg(h, '' ORDER BY h), '')), 'hex') FROM (SELECT ${row} AS h FROM ${table}) t`;
}
