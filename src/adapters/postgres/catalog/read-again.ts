/**
 * Reads the catalog again and again, and each time only what can have changed since: for a session of a database that
 * nobody else changes meanwhile.
 */
import { catalogOf, type Catalog, type CatalogRow } from '../../../core/catalog/catalog.ts';
import type { SessionContext } from '../state/context.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import type { Wire } from '../wire/wire.ts';
import type { CatalogQuery } from './fragments.ts';
import { otherQueries } from './others.ts';
import { majorOf, readAll, readCatalog, rowOf } from './read-catalog.ts';
import { RELATION_QUERIES } from './relations.ts';
import { DEPENDENTS, stampQuery } from './stamps.ts';

/** Undefined where this role may not read all of the system catalogs. */
const READERS = new WeakMap<Wire, CatalogReader | undefined>();

/** The first time it reads everything. */
export async function readCatalogAgain(context: SessionContext): Promise<Catalog> {
  const { wire } = context;
  if (!READERS.has(wire)) READERS.set(wire, new CatalogReader(context));
  const reader = READERS.get(wire);
  if (!reader) return await readCatalog(context);
  try {
    return await reader.read();
  } catch (error) {
    if (serverErrorOf(error)?.sqlstate !== '42501') throw error;
    READERS.set(wire, undefined);
    return await readCatalog(context);
  }
}

const OF_RELATIONS = RELATION_QUERIES.filter(({ some }) => some !== undefined);
/** They name relations, and few of them are there. */
const NAME_RELATIONS: readonly string[] = ['statistics', 'publication'];

type Stamps = ReadonlyMap<string, string>;

class CatalogReader {
  readonly #context: SessionContext;
  readonly #others: readonly CatalogQuery[];
  #prepared = false;
  #stamps: Stamps | undefined;
  /** By the relation's oid. */
  readonly #relations = new Map<string, CatalogRow[]>();
  readonly #rows = new Map<CatalogQuery, readonly CatalogRow[]>();

  constructor(context: SessionContext) {
    this.#context = context;
    this.#others = [
      ...RELATION_QUERIES.filter(({ some }) => some === undefined),
      ...otherQueries(context.settings.serverVersion),
    ];
  }

  async read(): Promise<Catalog> {
    await this.#prepare();
    const [stamped] = await readAll(this.#context, ['EXECUTE lockstep_stamps']);
    const stamps = new Map((stamped?.rows ?? []).map(([of, oid, stamp]) => [`${of ?? ''} ${oid ?? ''}`, stamp ?? '']));
    const changes = changesBetween(this.#stamps, stamps);
    if (changes === 'any') await this.#readAll();
    else await this.#readSome(changes);
    this.#stamps = stamps;
    return catalogOf(majorOf(this.#context), [...this.#relations.values(), ...this.#rows.values()].flat());
  }

  /** To plan these queries takes longer than to run them. */
  async #prepare(): Promise<void> {
    if (this.#prepared) return;
    this.#prepared = true;
    const all = [
      ...OF_RELATIONS.map(({ some }, at) => `PREPARE lockstep_some_${at} (oid[]) AS ${some ?? ''}`),
      ...this.#others.map(({ sql }, at) => `PREPARE lockstep_all_${at} AS ${sql}`),
      `PREPARE lockstep_stamps AS ${stampQuery(this.#context.settings.serverVersion)}`,
      `PREPARE lockstep_dependents (oid[]) AS ${DEPENDENTS}`,
    ];
    await this.#context.wire.message(
      `SET plan_cache_mode = force_generic_plan;\nSET enable_seqscan = off;\nSET enable_mergejoin = off;\n${all.join(';\n')}`,
    );
  }

  async #readAll(): Promise<void> {
    const others = this.#others.map((_, at) => `EXECUTE lockstep_all_${at}`);
    const results = await readAll(this.#context, [...OF_RELATIONS.map(({ sql }) => sql), ...others]);
    this.#relations.clear();
    for (const { rows } of results.slice(0, OF_RELATIONS.length)) this.#keep(rows);
    for (const [at, query] of this.#others.entries())
      this.#rows.set(query, (results[OF_RELATIONS.length + at]?.rows ?? []).map(rowOf));
  }

  async #readSome({ relations, gone, kinds, older }: Changes): Promise<void> {
    for (const oid of gone) this.#relations.delete(oid);
    const others = this.#others.filter(
      (query) => query.kinds.some((kind) => kinds.has(kind)) || (older.length > 0 && this.#namesRelations(query)),
    );
    const oids = [...relations, ...(await this.#dependentsOf(older))];
    const some = oids.length === 0 ? [] : OF_RELATIONS;
    if (some.length + others.length === 0) return;
    const list = `'{${oids.join()}}'`;
    const results = await readAll(this.#context, [
      ...some.map((_, at) => `EXECUTE lockstep_some_${at}(${list})`),
      ...others.map((query) => `EXECUTE lockstep_all_${this.#others.indexOf(query)}`),
    ]);
    for (const oid of oids) this.#relations.delete(oid);
    for (const { rows } of results.slice(0, some.length)) this.#keep(rows);
    for (const [at, query] of others.entries())
      this.#rows.set(query, (results[some.length + at]?.rows ?? []).map(rowOf));
  }

  async #dependentsOf(oids: readonly string[]): Promise<readonly string[]> {
    if (oids.length === 0) return [];
    const [found] = await readAll(this.#context, [`EXECUTE lockstep_dependents('{${oids.join()}}')`]);
    return (found?.rows ?? []).flatMap(([oid]) => oid ?? []);
  }

  /** A function whose body was parsed when it was made may name a relation; a text does not change. */
  #namesRelations(query: CatalogQuery): boolean {
    const rows = this.#rows.get(query) ?? [];
    return query.kinds.some((kind) => NAME_RELATIONS.includes(kind))
      ? rows.length > 0
      : query.kinds.includes('function') && rows.some(({ properties }) => properties['definition'] !== undefined);
  }

  #keep(rows: readonly (readonly (string | null)[])[]): void {
    for (const row of rows) {
      const oid = row[6] ?? '';
      const kept = this.#relations.get(oid);
      if (kept) kept.push(rowOf(row));
      else this.#relations.set(oid, [rowOf(row)]);
    }
  }
}

interface Changes {
  /** New ones and those with another stamp. */
  readonly relations: readonly string[];
  readonly gone: readonly string[];
  /** Of `relations` those that were there before: others may name what is in them. */
  readonly older: readonly string[];
  readonly kinds: ReadonlySet<string>;
}

/** `any` where a name can have changed that others use. */
function changesBetween(before: Stamps | undefined, now: Stamps): Changes | 'any' {
  if (!before) return 'any';
  const different = [...now].filter(([key, stamp]) => before.get(key) !== stamp).map(([key]) => key);
  const gone = [...before.keys()].filter((key) => !now.has(key));
  const older = different.filter((key) => before.has(key));
  if (older.some((key) => /^(?:function name|type of|rest) /.test(key))) return 'any';
  const relationsOf = (keys: readonly string[]): string[] =>
    keys.flatMap((key) => (key.startsWith('relation ') ? key.slice('relation '.length) : []));
  const kinds = new Set<string>();
  for (const key of [...different, ...gone]) {
    if (key.startsWith('function')) kinds.add('function');
    if (key.startsWith('statistics')) kinds.add('statistics');
    if (key.startsWith('type of')) for (const kind of ['type', 'constraint']) kinds.add(kind);
  }
  kinds.add('subscription');
  return { relations: relationsOf(different), gone: relationsOf(gone), older: relationsOf(older), kinds };
}
