/** The one JSON document that a command prints with `--json`, checked against its schema in docs/schemas/. */
import { readdir, readFile } from 'node:fs/promises';
import { expect } from 'chai';

import type { CliResult } from './cli.ts';

type Schema = Readonly<Record<string, unknown>>;

const folder = new URL('../../docs/schemas/', import.meta.url);

let loading: Promise<ReadonlyMap<string, Schema>> | undefined;

async function load(): Promise<ReadonlyMap<string, Schema>> {
  const schemas = new Map<string, Schema>();
  for (const file of await readdir(folder)) {
    const schema = JSON.parse(await readFile(new URL(file, folder), 'utf8')) as Schema;
    schemas.set(String(schema['$id']), schema);
  }
  return schemas;
}

/** Standard output, which must be one document of that schema and a line break; the exit code must be the document's. */
export async function documentOf(name: string, { stdout, code }: CliResult): Promise<Record<string, unknown>> {
  expect(stdout).to.match(/\n$/);
  const document = await valid(name, stdout);
  if ('exit' in document) expect(document['exit']).to.equal(code);
  return document;
}

/** The JSON of `text`, which must be one document of that schema. */
export async function valid(name: string, text: string): Promise<Record<string, unknown>> {
  const schemas = await (loading ??= load());
  const schema = schemas.get(`urn:lockstep:schema:${name}`);
  if (!schema) throw new Error(`there is no schema ${name}`);
  const document = JSON.parse(text) as Record<string, unknown>;
  expect(new Validator(schemas, schema).violations(document, schema), text).to.deep.equal([]);
  return document;
}

/** Knows the keywords that our schemas use; any other one is an error, so that none is passed over. */
class Validator {
  readonly #schemas: ReadonlyMap<string, Schema>;
  readonly #root: Schema;

  constructor(schemas: ReadonlyMap<string, Schema>, root: Schema) {
    this.#schemas = schemas;
    this.#root = root;
  }

  violations(value: unknown, schema: Schema, path = '$'): string[] {
    return Object.entries(schema).flatMap(([keyword, rule]) => this.#check(value, schema, { keyword, rule, path }));
  }

  #check(value: unknown, schema: Schema, { keyword, rule, path }: { keyword: string; rule: unknown; path: string }): string[] {
    const fail = (ok: boolean): string[] => (ok ? [] : [`${path}: ${keyword} ${JSON.stringify(rule)}, not ${JSON.stringify(value)}`]);
    const fields = (typeof value === 'object' ? (value ?? {}) : {}) as Record<string, unknown>;
    switch (keyword) {
      case '$schema':
      case '$id':
      case '$defs':
      case 'title':
      case 'description':
        return [];
      case 'type':
        return fail([rule, rule === 'number' ? 'integer' : rule].includes(typeOf(value)));
      case 'const':
        return fail(value === rule);
      case 'enum':
        return fail((rule as unknown[]).includes(value));
      case 'minimum':
        return fail((value as number) >= (rule as number));
      case 'format':
        return fail(rule === 'date-time' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(String(value)));
      case 'required':
        return fail((rule as string[]).every((key) => key in fields));
      case 'additionalProperties':
        return fail(Object.keys(fields).every((key) => key in (schema['properties'] as object)));
      case 'properties':
        return Object.entries(rule as Record<string, Schema>).flatMap(([key, inner]) =>
          key in fields ? this.violations(fields[key], inner, `${path}.${key}`) : [],
        );
      case 'items':
        return (value as unknown[]).flatMap((item, index) => this.violations(item, rule as Schema, `${path}[${index}]`));
      case 'anyOf':
        return fail((rule as Schema[]).some((inner) => this.violations(value, inner, path).length === 0));
      case '$ref':
        return this.#follow(value, String(rule), path);
      default:
        throw new Error(`a keyword that is not known here: ${keyword}`);
    }
  }

  #follow(value: unknown, reference: string, path: string): string[] {
    const [id = '', name = ''] = reference.split('#/$defs/');
    const root = id === '' ? this.#root : this.#schemas.get(id);
    const target = (root?.['$defs'] as Record<string, Schema> | undefined)?.[name];
    if (!root || !target) throw new Error(`${reference} leads nowhere`);
    return new Validator(this.#schemas, root).violations(value, target, path);
  }
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}
