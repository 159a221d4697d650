/** The text of a catalog, made to be read in a pull request, and read back by `drift`. */
import {
  KINDS,
  PART_KINDS,
  type Catalog,
  type CatalogObject,
  type CatalogPart,
  type Kind,
  type PartKind,
  type Properties,
} from './catalog.ts';

const HEADING = '-- What the migrations make. Written by "lockstep prove --write"; do not edit.';

export function writeCatalog({ major, objects }: Catalog): string {
  return [HEADING, `server ${major}`, ...objects.flatMap(objectLines), ''].join('\n');
}

function objectLines({ kind, name, properties, parts }: CatalogObject): string[] {
  return [
    '',
    `${kind} ${escaped(name)}`,
    ...propertyLines(properties, '  '),
    ...parts.flatMap((part) => [
      `  ${part.kind} ${escaped(part.name)} ${escaped(part.is)}`.trimEnd(),
      ...propertyLines(part.properties, '    '),
    ]),
  ];
}

function propertyLines(properties: Properties, indent: string): string[] {
  return Object.entries(properties).flatMap(([key, value]) =>
    isBlock(value)
      ? [`${indent}${key}:`, ...value.split('\n').map((line) => `${indent}  | ${line}`)]
      : [`${indent}${key}: ${escaped(value)}`],
  );
}

/** Other control characters than a line feed would not survive an editor. */
function isBlock(value: string): boolean {
  return value.includes('\n') && !/[\x00-\x08\x0b-\x1f]/.test(value);
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter === 'r' ? '\r' : letter));
}

interface Open<T> {
  readonly one: T;
  readonly properties: Record<string, string>;
}

/** A problem as a sentence if it is no such text. */
export function parseCatalog(text: string): Catalog | string {
  const reader = new CatalogReader();
  for (const [index, line] of text.split(/\r?\n/).entries())
    if (!reader.accept(line)) return `line ${index + 1} is not what "lockstep prove --write" writes`;
  const { major, objects } = reader;
  return major === undefined ? 'it does not say which server it was made on' : { major, objects };
}

type OpenObject = CatalogObject & { readonly parts: CatalogPart[] };

class CatalogReader {
  readonly objects: OpenObject[] = [];
  major: number | undefined;
  #object: Open<OpenObject> | undefined;
  #part: Open<CatalogPart> | undefined;
  /** The value of several lines that is being read. */
  #block: { readonly properties: Record<string, string>; readonly key: string } | undefined;

  accept(line: string): boolean {
    const [, indent = '', rest = ''] = /^( *)(.*)$/s.exec(line) ?? [];
    if (rest === '' || (indent === '' && rest.startsWith('--'))) return true;
    if (this.#block && rest.startsWith('|')) {
      const { properties, key } = this.#block;
      const [before, added] = [properties[key], rest.slice(2)];
      properties[key] = before === undefined ? added : `${before}\n${added}`;
      return true;
    }
    this.#block = undefined;
    if (indent === '') return this.#readServer(rest) || this.#readObject(rest);
    return this.#readProperty(indent, rest) || (indent.length === 2 && this.#readPart(rest));
  }

  #readServer(line: string): boolean {
    const major = this.major === undefined ? /^server (?<major>\d+)$/.exec(line)?.groups?.['major'] : undefined;
    if (major !== undefined) this.major = Number(major);
    return major !== undefined;
  }

  #readObject(line: string): boolean {
    const head = headOf(line, KINDS);
    if (!head) return false;
    const properties = {};
    this.#object = { one: { kind: head.kind, name: unescaped(head.rest), properties, parts: [] }, properties };
    this.#part = undefined;
    this.objects.push(this.#object.one);
    return true;
  }

  #readProperty(indent: string, line: string): boolean {
    const open = indent.length === 4 ? this.#part : this.#object;
    const found = /^(?<key>[a-z][a-z ]*):(?: (?<value>.*))?$/s.exec(line)?.groups;
    if (!found || !open) return false;
    const { key = '', value } = found;
    if (value === undefined) this.#block = { properties: open.properties, key };
    else open.properties[key] = unescaped(value);
    return true;
  }

  #readPart(line: string): boolean {
    this.#part = partOf(line);
    if (this.#part) this.#object?.one.parts.push(this.#part.one);
    return this.#object !== undefined && this.#part !== undefined;
  }
}

/** The longest kind that the line begins with: `operator class` before `operator`. */
function headOf<K extends Kind | PartKind>(line: string, kinds: readonly K[]): { kind: K; rest: string } | undefined {
  const kind = kinds
    .filter((one) => line.startsWith(`${one} `))
    .reduce<K | undefined>((longest, one) => (longest && longest.length > one.length ? longest : one), undefined);
  return kind === undefined ? undefined : { kind, rest: line.slice(kind.length + 1) };
}

function partOf(line: string): Open<CatalogPart> | undefined {
  const head = headOf(line, PART_KINDS);
  const found = head && /^(?<name>"(?:[^"]|"")*"|[^\s"]+)(?: (?<is>.*))?$/s.exec(head.rest)?.groups;
  if (!found) return undefined;
  const properties = {};
  const { name = '', is = '' } = found;
  return { one: { kind: head.kind, name: unescaped(name), is: unescaped(is), properties }, properties };
}
