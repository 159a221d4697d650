/** What is in a database, as objects that people know by name: never oids, and in an order that does not change. */

/** In the order of the text. A kind of several words stands before the one that it begins with. */
export const KINDS = [
  'extension',
  'language',
  'access method',
  'schema',
  'foreign-data wrapper',
  'server',
  'collation',
  'conversion',
  'type',
  'function',
  'procedure',
  'aggregate',
  'operator family',
  'operator class',
  'operator',
  'cast',
  'transform',
  'text search parser',
  'text search template',
  'text search dictionary',
  'text search configuration',
  'sequence',
  'table',
  'foreign table',
  'view',
  'materialized view',
  'statistics',
  'event trigger',
  'publication',
  'subscription',
  'default privileges',
  'settings',
] as const;

/** What is inside an object. Columns keep their order. */
export const PART_KINDS = ['column', 'constraint', 'index', 'trigger', 'rule', 'policy'] as const;

export type Kind = (typeof KINDS)[number];
export type PartKind = (typeof PART_KINDS)[number];
export type Properties = Readonly<Record<string, string>>;

export interface CatalogPart {
  readonly kind: PartKind;
  readonly name: string;
  /** What it is in one line, for example a column's type. */
  readonly is: string;
  readonly properties: Properties;
}

export interface CatalogObject {
  readonly kind: Kind;
  /** Quoted where SQL needs it, with its schema. */
  readonly name: string;
  readonly properties: Properties;
  readonly parts: readonly CatalogPart[];
}

export interface Catalog {
  /** The server's major version. */
  readonly major: number;
  readonly objects: readonly CatalogObject[];
  /** Kinds of objects and parts that the role may not read. */
  readonly unseen?: readonly (Kind | PartKind)[];
}

/** One line of what the server answers: an object, or with `part` something inside it. */
export interface CatalogRow {
  readonly kind: Kind;
  readonly name: string;
  readonly part?: Pick<CatalogPart, 'kind' | 'name' | 'is'>;
  readonly properties: Properties;
}

/** Columns come in their order, everything else in any. */
export function catalogOf(major: number, rows: readonly CatalogRow[]): Catalog {
  const objects = new Map<string, CatalogObject & { readonly parts: CatalogPart[] }>();
  for (const { kind, name, part, properties } of rows)
    if (!part) objects.set(`${kind} ${name}`, { kind, name, properties, parts: [] });
  for (const { kind, name, part, properties } of rows)
    if (part) objects.get(`${kind} ${name}`)?.parts.push({ ...part, properties });
  const sorted = [...objects.values()].toSorted(byRank(KINDS, compareNames));
  return { major, objects: sorted.map((object) => ({ ...object, parts: object.parts.toSorted(compareParts) })) };
}

interface Ranked {
  readonly kind: string;
  readonly name: string;
}

function byRank<T extends Ranked>(kinds: readonly string[], otherwise: (a: T, b: T) => number): (a: T, b: T) => number {
  const ranks = new Map(kinds.map((kind, rank) => [kind, rank]));
  return (a, b) => (ranks.get(a.kind) ?? 0) - (ranks.get(b.kind) ?? 0) || otherwise(a, b);
}

const compareParts = byRank<Ranked>(PART_KINDS, (a, b) => (a.kind === 'column' ? 0 : compareNames(a, b)));

/** By code unit, so that no locale has a say. */
function compareNames(a: Ranked, b: Ranked): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Properties that the server deparses: their text differs between dumps and major versions though they mean the same. */
const DEPARSED = new Set(['default', 'generated', 'check', 'using', 'definition', 'when', 'where']);
const DEPARSED_PARTS = new Set<string>(['constraint', 'index', 'trigger'] satisfies PartKind[]);

/** Undefined is the line of a part. */
export function isDeparsed(part: PartKind | undefined, property: string | undefined): boolean {
  return property === undefined ? part !== undefined && DEPARSED_PARTS.has(part) : DEPARSED.has(property);
}
