/** Parses the history table's name: one or two parts. */

export interface TableName {
  readonly schema?: string;
  readonly name: string;
}

/** PostgreSQL's limit is 63 bytes; `_journal` is added to the name. */
const MAX_NAME_BYTES = 55;
const MAX_SCHEMA_BYTES = 63;

/**
 * Reads `name` or `schema.name`. The parts are taken literally (no quoting syntax): a `"` is part of the name.
 * Returns the problem as a string if it is anything else.
 */
export function parseTableName(text: string): TableName | string {
  const parts = text.split('.');
  const [first = '', second] = parts;
  if (parts.length > 2) return `table "${text}" has ${parts.length} parts; give "name" or "schema.name"`;
  if (parts.some((part) => part.trim() === ''))
    return `table "${text}" has an empty part; give "name" or "schema.name"`;
  if (parts.some((part) => part !== part.trim() || /\p{Cc}/u.test(part))) {
    return `table ${JSON.stringify(text)} has white space around a part, or a control character`;
  }
  const name = second ?? first;
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `table "${name}" is longer than ${MAX_NAME_BYTES} bytes`;
  if (second === undefined) return { name };
  if (Buffer.byteLength(first) > MAX_SCHEMA_BYTES) return `schema "${first}" is longer than ${MAX_SCHEMA_BYTES} bytes`;
  return { schema: first, name };
}
