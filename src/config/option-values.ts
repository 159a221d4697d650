/** Turns the text of one setting into its value, or says what is wrong with it. */
import { parseDuration } from '../core/migration.ts';
import { parseTableName, type TableName } from '../core/table-name.ts';
import { optionEntry, type OPTIONS, type OptionKey, type OptionType } from './options.ts';

interface ValueOfType extends Record<OptionType, unknown> {
  text: string;
  boolean: boolean;
  duration: number;
  integer: number;
  choice: string;
  version: string;
  versions: readonly string[];
  table: TableName;
  'lock key': bigint;
}

type Entry<K extends OptionKey> = (typeof OPTIONS)[K];
type ValueOf<K extends OptionKey> = Entry<K> extends { choices: readonly (infer C)[] } ? C : ValueOfType[Entry<K>['type']];
/** `hold` without a setting depends on what the journal knows. */
type AlwaysSet = { [K in Exclude<OptionKey, 'hold'>]: Entry<K> extends { default: string } | { type: 'boolean' } ? K : never }[Exclude<OptionKey, 'hold'>];

/** Every option's value; durations are milliseconds. */
export type OptionValues = { [K in AlwaysSet]: ValueOf<K> } & { [K in Exclude<OptionKey, AlwaysSet>]?: ValueOf<K> };

/** A problem never holds the text of what may be a secret. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

const PARSERS: { readonly [T in OptionType]: (text: string, key: OptionKey) => Parsed<ValueOfType[T]> } = {
  text: (value) => ({ value }),
  boolean: (text) => {
    const value = parseBoolean(text);
    return value === undefined ? { problem: `${shown(text)} is neither true nor false` } : { value };
  },
  duration: parseDurationValue,
  integer: parseInteger,
  choice: parseChoice,
  version: parseVersion,
  versions: parseVersions,
  table: (text) => {
    const table = parseTableName(text);
    return typeof table === 'string' ? { problem: table } : { value: table };
  },
  'lock key': parseLockKey,
};

/** The value of the option `key`, read from `text`. */
export function parseValue(key: OptionKey, text: string): Parsed<unknown> {
  if (text.trim() === '') return { problem: 'needs a value' };
  if (key !== 'databaseUrl' && looksLikeAddress(text)) {
    return { problem: 'this looks like a database address; give it as LOCKSTEP_DATABASE_URL' };
  }
  const { type } = optionEntry(key);
  return PARSERS[type](type === 'text' ? text : text.trim(), key);
}

const BOOLEANS = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
]);

/** True for true, yes, on and 1; false for false, no, off and 0; undefined for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  return BOOLEANS.get(text.toLowerCase());
}

function parseDurationValue(text: string, key: OptionKey): Parsed<number> {
  const value = parseDuration(text);
  if (value === undefined) return { problem: `${shown(text)} is not a duration; give for example 250ms, 5s, 10m or 1h` };
  const min = optionEntry(key).min ?? 0;
  return value < min ? { problem: `${shown(text)} is too short; it must be at least ${min}ms` } : { value };
}

function parseInteger(text: string, key: OptionKey): Parsed<number> {
  const min = optionEntry(key).min ?? 0;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  return value < min ? { problem: `${shown(text)} is not a whole number from ${min} up` } : { value };
}

function parseChoice(value: string, key: OptionKey): Parsed<string> {
  const choices = optionEntry(key).choices ?? [];
  return choices.includes(value) ? { value } : { problem: `${shown(value)} is none of: ${choices.join(', ')}` };
}

function parseVersion(value: string): Parsed<string> {
  const version = /^(?:.*[/\\])?(?<version>.+)\.(?:up|down)\.sql$/.exec(value)?.groups?.['version'];
  return version === undefined ? { value } : { problem: `${shown(value)} is a file; give the version ${shown(version)}` };
}

function parseVersions(text: string): Parsed<readonly string[]> {
  const parsed = text.split(',').map((part) => (part.trim() === '' ? { problem: 'holds an empty version' } : parseVersion(part.trim())));
  const problem = parsed.find((one) => 'problem' in one);
  return problem ?? { value: parsed.flatMap((one) => ('value' in one ? one.value : [])) };
}

/** Advisory locks have a signed 64-bit key (PostgreSQL manual, "Advisory Lock Functions"). */
function parseLockKey(text: string): Parsed<bigint> {
  if (!/^(?:-?\d+|0x[\da-f]+)$/i.test(text)) return { problem: `${shown(text)} is not a decimal or 0x hexadecimal number` };
  const key = BigInt(text);
  // Hexadecimal digits show the 64 bits as they are, so the upper half is negative.
  const value = /^0x/i.test(text) && key < 2n ** 64n ? BigInt.asIntN(64, key) : key;
  return BigInt.asIntN(64, value) === value ? { value } : { problem: `${shown(text)} does not fit into 64 bits` };
}

function looksLikeAddress(text: string): boolean {
  return /:\/\/|\bpassword\s*=/i.test(text);
}

/** A word as a message may quote it: an address may hold a password, and is not shown. */
export function shown(word: string): string {
  if (looksLikeAddress(word)) return '(an address)';
  return JSON.stringify(word.length > 60 ? `${word.slice(0, 60)}…` : word);
}
