/** In what do two catalogs differ? Each difference names its object as people do. */
import { isDeparsed, type Catalog, type CatalogObject, type CatalogPart, type Properties } from './catalog.ts';
import { nameOfObject, nameOfPart } from './scope.ts';

export interface Difference {
  /** For example `index orders_total_idx on table public.orders`. */
  readonly object: string;
  readonly change: 'missing' | 'foreign' | 'different';
  /** Of something different; absent where its one line differs. */
  readonly property?: string;
  readonly expected?: string;
  readonly found?: string;
  /** The server has deparsed both texts: they may mean the same. */
  readonly deparsed?: true;
  /** Worth knowing, and no failure. */
  readonly note?: true;
}

/** On two majors deparsed texts cannot be compared. */
export function diffCatalogs(expected: Catalog, found: Catalog): Difference[] {
  const differences = diffNamed(expected.objects, found.objects, nameOfObject, diffObjects);
  return expected.major === found.major ? differences : differences.filter(({ deparsed }) => deparsed !== true);
}

function diffNamed<T>(
  expected: readonly T[],
  found: readonly T[],
  keyOf: (one: T) => string,
  diff: (expected: T, found: T) => Difference[],
): Difference[] {
  const others = new Map(found.map((one) => [keyOf(one), one]));
  const known = new Set(expected.map(keyOf));
  return [
    ...expected.flatMap((one): Difference[] => {
      const other = others.get(keyOf(one));
      return other ? diff(one, other) : [{ object: keyOf(one), change: 'missing' }];
    }),
    ...[...others.keys()].filter((key) => !known.has(key)).map((object): Difference => ({ object, change: 'foreign' })),
  ];
}

function diffObjects(expected: CatalogObject, found: CatalogObject): Difference[] {
  const object = nameOfObject(expected);
  const keyOfPart = (part: CatalogPart): string => nameOfPart(part, expected);
  return [
    ...diffProperties(object, undefined, expected.properties, found.properties),
    ...diffNamed(expected.parts, found.parts, keyOfPart, (one, other) => [
      ...different({ object: keyOfPart(one), expected: one.is, found: other.is }, isDeparsed(one.kind, undefined)),
      ...diffProperties(keyOfPart(one), one.kind, one.properties, other.properties),
    ]),
    ...diffPositions(object, expected, found),
  ];
}

function diffProperties(
  object: string,
  part: CatalogPart['kind'] | undefined,
  expected: Properties,
  found: Properties,
): Difference[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])];
  return names.flatMap((property) =>
    different({ object, property, expected: expected[property], found: found[property] }, isDeparsed(part, property)),
  );
}

function different(
  {
    expected,
    found,
    ...what
  }: {
    readonly object: string;
    readonly property?: string;
    readonly expected: string | undefined;
    readonly found: string | undefined;
  },
  deparsed: boolean,
): Difference[] {
  if (expected === found) return [];
  return [
    {
      ...what,
      change: 'different',
      ...(expected !== undefined && { expected }),
      ...(found !== undefined && { found }),
      ...(deparsed && expected !== undefined && found !== undefined && { deparsed }),
    },
  ];
}

/** A column that was dropped and added again stands last: SELECT * shows it, and little else. */
function diffPositions(object: string, expected: CatalogObject, found: CatalogObject): Difference[] {
  const columns = ({ parts }: CatalogObject): string[] =>
    parts.filter(({ kind }) => kind === 'column').map(({ name }) => name);
  const [before, after] = [columns(expected), columns(found)];
  const [one, other] = [
    before.filter((name) => after.includes(name)).join(', '),
    after.filter((name) => before.includes(name)).join(', '),
  ];
  return different({ object, property: 'order of columns', expected: one, found: other }, false).map((difference) => ({
    ...difference,
    note: true,
  }));
}
