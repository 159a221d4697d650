/** Which part of a catalog is compared? */
import type { Catalog, CatalogObject, CatalogPart, Properties } from './catalog.ts';

export interface Scope {
  /** Objects and parts by name; `*` stands for any characters. */
  readonly ignore: readonly string[];
  readonly owners: boolean;
  readonly privileges: boolean;
}

export function inScope(catalog: Catalog, { ignore, owners, privileges }: Scope): Catalog {
  const patterns = ignore.map(patternOf);
  const isIgnored = (...names: readonly string[]): boolean =>
    patterns.some((pattern) => names.some((name) => pattern.test(name)));
  const cut = (properties: Properties): Properties =>
    Object.fromEntries(
      Object.entries(properties).filter(([key]) => (owners || key !== 'owner') && (privileges || key !== 'grants')),
    );
  const objects = catalog.objects
    .filter(({ kind, name }) => (privileges || kind !== 'default privileges') && !isIgnored(name, `${kind} ${name}`))
    .map((object) => ({
      ...object,
      properties: cut(object.properties),
      parts: object.parts
        .filter((part) => !isIgnored(nameOfPart(part, object)))
        .map((part) => ({ ...part, properties: cut(part.properties) })),
    }));
  return { ...catalog, objects };
}

/** Without these kinds. */
export function withoutKinds(catalog: Catalog, kinds: NonNullable<Catalog['unseen']>): Catalog {
  if (kinds.length === 0) return catalog;
  const isLeft = ({ kind }: CatalogObject | CatalogPart): boolean => !kinds.includes(kind);
  const objects = catalog.objects.filter(isLeft).map((object) => ({ ...object, parts: object.parts.filter(isLeft) }));
  return { ...catalog, objects };
}

export function nameOfObject({ kind, name }: Pick<CatalogObject, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

export function nameOfPart({ kind, name }: CatalogPart, object: CatalogObject): string {
  return `${kind} ${name} ${kind === 'column' ? 'of' : 'on'} ${nameOfObject(object)}`;
}

/** A file of patterns: one a line; `#` begins a comment. */
export function parsePatterns(text: string): readonly string[] {
  return text.split(/\r?\n/).flatMap((line) => (/^\s*(#|$)/.test(line) ? [] : [line.trim()]));
}

function patternOf(pattern: string): RegExp {
  const parts = pattern.split('*').map((text) => text.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
