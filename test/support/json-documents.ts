/** The one JSON document that a command prints with `--json`, checked against its schema in docs/schemas/. */
import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';

import type { CliResult } from './cli.ts';

const folder = new URL('../../docs/schemas/', import.meta.url);
/** The format of `Date.toISOString()`. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** By name; `error` is the one of error.schema.json. */
export const SCHEMAS: ReadonlyMap<string, { readonly $id?: string }> = new Map(
  readdirSync(folder).map((file) => [
    file.replace('.schema.json', ''),
    JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as object,
  ]),
);

// Strict: an unknown keyword or format is an error, so that none is ignored.
const ajv = new Ajv2020({ allErrors: true, strict: true, formats: { 'date-time': MOMENT } });
for (const schema of SCHEMAS.values()) ajv.addSchema(schema);

/** The violations of the schema in this value; empty when it is valid. */
export function violations(name: string, value: unknown): string[] {
  const validate = ajv.getSchema(`urn:lockstep:schema:${name}`);
  if (!validate) throw new Error(`there is no schema ${name}`);
  if (validate(value) === true) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath}: ${message ?? ''} ${JSON.stringify(params)}`,
  );
}

/**
 * Parses stdout, which must be one document of that schema and a line break; the exit code must equal the document's.
 */
export function documentOf(name: string, { stdout, code }: CliResult): Record<string, unknown> {
  expect(stdout).to.match(/\n$/);
  const document = valid(name, stdout);
  expect(document['exit'], 'exit').to.equal(code);
  return document;
}

/** Parses `text`, which must be one document of that schema. */
export function valid(name: string, text: string): Record<string, unknown> {
  const document = JSON.parse(text) as Record<string, unknown>;
  expect(violations(name, document), text).to.deep.equal([]);
  return document;
}
