/** Turns the text of one setting into its value, or says what is wrong with it. */
import { parseDuration } from '../core/migration.ts';
import type { Rename } from '../core/plan/renames.ts';
import { parseTableName, type TableName } from '../core/table-name.ts';
import { optionEntry, type OPTIONS, type OptionKey } from './options.ts';
import type { OptionType } from './options/entry.ts';

interface ValueOfType extends Record<OptionType, unknown> {
  text: string;
  url: string;
  place: string;
  boolean: boolean;
  duration: number;
  integer: number;
  choice: string;
  version: string;
  versions: readonly string[];
  patterns: readonly string[];
  renames: readonly Rename[];
  table: TableName;
  'lock key': bigint;
  words: readonly string[];
  target: string;
  targets: readonly string[];
  /** Bytes. */
  memory: number;
  /** Milliseconds, also of more days than a timer can have. */
  age: number;
}

type Entry<K extends OptionKey> = (typeof OPTIONS)[K];
type ValueOf<K extends OptionKey> =
  Entry<K> extends { choices: readonly (infer C)[] } ? C : ValueOfType[Entry<K>['type']];
/** `hold` without a setting depends on what the journal knows. */
type AlwaysSet = {
  [K in Exclude<OptionKey, 'hold'>]: Entry<K> extends { default: string } | { type: 'boolean' } ? K : never;
}[Exclude<OptionKey, 'hold'>];

/** Every option's value; durations are milliseconds. */
export type OptionValues = { [K in AlwaysSet]: ValueOf<K> } & { [K in Exclude<OptionKey, AlwaysSet>]?: ValueOf<K> };

/** A problem never holds the text of what may be a secret. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

const PARSERS: { readonly [T in OptionType]: (text: string, key: OptionKey) => Parsed<ValueOfType[T]> } = {
  text: (value) => ({ value }),
  url: parseUrl,
  place: (value) => ({ value }),
  boolean: (text) => {
    const value = parseBoolean(text);
    return value === undefined ? { problem: `${shown(text)} is neither true nor false` } : { value };
  },
  duration: parseDurationValue,
  integer: parseInteger,
  choice: parseChoice,
  version: parseVersion,
  versions: parseVersions,
  patterns: (text) => ({ value: text.split(',').flatMap((part) => (part.trim() === '' ? [] : part.trim())) }),
  renames: parseRenames,
  table: (text) => {
    const table = parseTableName(text);
    return typeof table === 'string' ? { problem: table } : { value: table };
  },
  'lock key': parseLockKey,
  words: parseWords,
  target: parseTarget,
  targets: parseTargets,
  memory: parseMemory,
  age: parseAge,
};

/** The value of the option `key`, read from `text`. */
export function parseValue(key: OptionKey, text: string): Parsed<unknown> {
  const { type } = optionEntry(key);
  if (text.trim() === '' && type !== 'place') return { problem: 'needs a value' };
  // A command may have the address of another service in it.
  const isAddress = type === 'words' || type === 'url' ? /^\s*postgres(?:ql)?:/i.test(text) : looksLikeAddress(text);
  if (key !== 'databaseUrl' && key !== 'scratchUrl' && isAddress) {
    return { problem: 'this looks like a database address; give it as LOCKSTEP_DATABASE_URL' };
  }
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

/** It may hold a password. */
function parseUrl(value: string): Parsed<string> {
  return /^https?:$/.test(URL.parse(value)?.protocol ?? '') ? { value } : { problem: 'is no address of http or https' };
}

function parseDurationValue(text: string, key: OptionKey): Parsed<number> {
  const value = parseDuration(text);
  if (value === undefined)
    return { problem: `${shown(text)} is not a duration; give for example 250ms, 5s, 10m or 1h` };
  const min = optionEntry(key).min ?? 0;
  return value < min ? { problem: `${shown(text)} is too short; it must be at least ${min}ms` } : { value };
}

const DAY_MS = 86_400_000;

function parseAge(text: string, key: OptionKey): Parsed<number> {
  const days = /^(?<days>\d{1,6})d$/.exec(text)?.groups?.['days'];
  if (days !== undefined) return { value: Number(days) * DAY_MS };
  const parsed = parseDurationValue(text, key);
  return 'problem' in parsed ? { problem: `${shown(text)} is not an age; give for example 12h or 30d` } : parsed;
}

function parseInteger(text: string, key: OptionKey): Parsed<number> {
  const min = optionEntry(key).min ?? 0;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  return value < min ? { problem: `${shown(text)} is not a whole number from ${min} up` } : { value };
}

function parseChoice(value: string, key: OptionKey): Parsed<string> {
  const choices = optionEntry(key).choices ?? [];
  return choices.includes(value) ? { value } : { problem: `${shown(value)} is not one of: ${choices.join(', ')}` };
}

function parseVersion(value: string): Parsed<string> {
  const version = /^(?:.*[/\\])?(?<version>.+)\.(?:up|down)\.sql$/.exec(value)?.groups?.['version'];
  return version === undefined
    ? { value }
    : { problem: `${shown(value)} is a file; give the version ${shown(version)}` };
}

function parseVersions(text: string): Parsed<readonly string[]> {
  const parsed = text
    .split(',')
    .map((part) => (part.trim() === '' ? { problem: 'contains an empty version' } : parseVersion(part.trim())));
  const problem = parsed.find((one) => 'problem' in one);
  return problem ?? { value: parsed.flatMap((one) => ('value' in one ? one.value : [])) };
}

function parseRenames(text: string): Parsed<readonly Rename[]> {
  const renames: Rename[] = [];
  for (const part of text.split(',')) {
    const names = part.split('=').map((name) => name.trim());
    const [from = '', to = ''] = names;
    if (names.length !== 2 || from === '' || to === '')
      return { problem: `${shown(part)} is not OLD=NEW, for example 002_sed=002_seed` };
    for (const parsed of [parseVersion(from), parseVersion(to)]) if ('problem' in parsed) return parsed;
    renames.push({ from, to });
  }
  return { value: renames };
}

/** Advisory locks have a signed 64-bit key (PostgreSQL manual, "Advisory Lock Functions"). */
function parseLockKey(text: string): Parsed<bigint> {
  if (!/^(?:-?\d+|0x[\da-f]+)$/i.test(text))
    return { problem: `${shown(text)} is not a decimal or 0x hexadecimal number` };
  const key = BigInt(text);
  // Hexadecimal digits show the 64 bits as they are, so the upper half is negative.
  const value = /^0x/i.test(text) && key < 2n ** 64n ? BigInt.asIntN(64, key) : key;
  return BigInt.asIntN(64, value) === value ? { value } : { problem: `${shown(text)} does not fit into 64 bits` };
}

/** A key of a Secret, which is a file where the Secret is mounted (Kubernetes: IsConfigMapKey). */
const TARGET = /^(?!\.\.?$|\.\.)[-._a-zA-Z0-9]{1,253}$/;

function parseTarget(value: string): Parsed<string> {
  return TARGET.test(value)
    ? { value }
    : {
        problem: `${shown(value)} is not a name of a target: letters, digits, "-", "_" and ".", as in a key of a Secret`,
      };
}

function parseTargets(text: string): Parsed<readonly string[]> {
  const value = text.split(',').map((name) => name.trim());
  const wrong = value.map(parseTarget).find((one) => 'problem' in one);
  if (wrong) return wrong;
  const twice = value.find((name, index) => value.indexOf(name) !== index);
  return twice === undefined ? { value } : { problem: `${shown(twice)} is in it twice` };
}

/** The words of a command, as a shell parts them, without expanding anything. */
function parseWords(text: string): Parsed<readonly string[]> {
  const value: string[] = [];
  const word = /\s*((?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+)\s*/sy;
  while (word.lastIndex < text.length) {
    const found = word.exec(text)?.[1];
    // It may have a secret in it.
    if (found === undefined) return { problem: 'a quote in it is not closed' };
    const part = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^'"\\])/gs;
    const parts = Array.from(
      found.matchAll(part),
      ([, single, double, escaped, plain]) =>
        single ?? double?.replace(/\\([$`"\\\n])/g, '$1') ?? escaped ?? plain ?? '',
    );
    value.push(parts.join(''));
  }
  return value[0] === '' || text.includes('\0') ? { problem: 'its first word must be a program' } : { value };
}

const MEMORY_UNITS: Readonly<Record<string, number>> = { Mi: 2 ** 20, Gi: 2 ** 30, M: 1e6, G: 1e9 };
const LEAST_MEMORY = 32 * 2 ** 20;

function parseMemory(text: string): Parsed<number> {
  const [, amount, unit = ''] = /^(\d{1,6})(Mi|Gi|M|G)B?$/.exec(text) ?? [];
  if (amount === undefined)
    return { problem: `${shown(text)} is not an amount of memory; give for example 256Mi or 1Gi` };
  const value = Number(amount) * (MEMORY_UNITS[unit] ?? 0);
  return value < LEAST_MEMORY ? { problem: `${shown(text)} is too little; it must be at least 32Mi` } : { value };
}

function looksLikeAddress(text: string): boolean {
  return /:\/\/|\bpassword\s*=/i.test(text);
}

/** A word as a message may quote it: an address may hold a password, and is not shown. */
export function shown(word: string): string {
  if (looksLikeAddress(word)) return '(an address)';
  return JSON.stringify(word.length > 60 ? `${word.slice(0, 60)}…` : word);
}
