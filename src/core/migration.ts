/** What a migration is: its version, scripts and directives, read from file names and text. */
// A named import of `hash` would fail in an older Node, before Lockstep could say which Node it needs.
import * as crypto from 'node:crypto';

import { nearest } from './text/nearest.ts';
import { endOfComment, endOfLine, skipBlank } from './text/sql-text.ts';

export type Direction = 'up' | 'down';

/** The file name without `.up.sql`, for example `007_add_index`. */
export type Version = string;

/** The directives in the leading comment block of a file. */
export interface Directives {
  readonly noTransaction: boolean;
  readonly irreversible: boolean;
  readonly lockTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
}

export interface Script {
  /** The file's name, without its folder. */
  readonly file: string;
  /** The text without its byte order mark. */
  readonly text: string;
  readonly checksum: string;
  readonly directives: Directives;
}

export interface Migration {
  readonly version: Version;
  readonly up: Script;
  readonly down?: Script;
  /** The absolute path of the pre-migration hook's module. */
  readonly hookPath?: string;
}

export type FileKind = 'up' | 'down' | 'before';

const FILE_NAME = /^(?<version>(?<number>\d+)_.+)\.(?<kind>up\.sql|down\.sql|before\.mjs)$/s;
const KINDS: Readonly<Record<string, FileKind>> = {
  'up.sql': 'up',
  'down.sql': 'down',
  'before.mjs': 'before',
};

/** The parts of `<number>_<name>.(up.sql|down.sql|before.mjs)`; undefined when the name does not fit. */
export function parseFileName(file: string): { version: Version; kind: FileKind } | undefined {
  const groups = FILE_NAME.exec(file)?.groups;
  const kind = KINDS[groups?.['kind'] ?? ''];
  return groups?.['version'] !== undefined && kind ? { version: groups['version'], kind } : undefined;
}

/** The digits of a version's leading number, without leading zeros; undefined for a version that another tool wrote. */
export function versionNumber(version: Version): string | undefined {
  return /^0*(\d+)/.exec(version)?.[1];
}

/** By number as a number, then by name (code units); versions without a number come last. */
export function compareVersions(a: Version, b: Version): number {
  const [left, right] = [versionNumber(a), versionNumber(b)];
  if (left !== right) {
    if (left === undefined) return 1;
    if (right === undefined) return -1;
    return left.length < right.length || (left.length === right.length && left < right) ? -1 : 1;
  }
  return a === b ? 0 : a < b ? -1 : 1;
}

/** SHA-256 in hex of the text without BOM, CRLF as LF. */
export function checksum(text: string): string {
  return crypto.hash('sha256', withoutBom(text).replaceAll('\r\n', '\n'));
}

export function withoutBom(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, m: 60_000, h: 3_600_000 };

/** Parses `250ms`, `2s`, `30min`, `1h` or `0` to milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^(?<amount>\d+(?:\.\d+)?)(?<unit>ms|s|min|m|h)$/.exec(text);
  const unit = UNITS[match?.groups?.['unit'] ?? ''];
  if (unit === undefined) return undefined;
  const ms = Math.round(Number(match?.groups?.['amount']) * unit);
  return Number.isSafeInteger(ms) && ms <= MAX_DURATION_MS ? ms : undefined;
}

/** PostgreSQL's timeouts are 32-bit milliseconds, and so are Node's timers. */
const MAX_DURATION_MS = 2_147_483_647;

export const DIRECTIVES: readonly string[] = [
  'no-transaction',
  'irreversible',
  'lock-timeout',
  'statement-timeout',
  'allow',
];

/** Of nearly all files, so it is one object. */
const NO_DIRECTIVES: Directives = { noTransaction: false, irreversible: false };

/** Reads `-- lockstep: …` lines of the leading comment block; every bad one is a problem with its line. */
export function parseDirectives(text: string): { directives: Directives; problems: string[] } {
  const problems: string[] = [];
  const found: { -readonly [K in keyof Directives]: Directives[K] } = { ...NO_DIRECTIVES };
  let isDirected = false;
  for (const [index, line] of leadingComments(text)) {
    const groups = /^--\s*lockstep\b\s*(?<colon>:?)(?<body>.*)$/i.exec(line)?.groups;
    if (!groups) continue;
    const body = (groups['body'] ?? '').trim();
    const [word = ''] = body.split(/[=\s]/, 1);
    // Without the colon it may be a sentence about Lockstep.
    if (groups['colon'] === '' && !DIRECTIVES.includes(word)) continue;
    isDirected = true;
    const problem = groups['colon'] === '' ? `write "-- lockstep: ${body}", with a colon` : readDirective(body, found);
    if (problem !== undefined) problems.push(`line ${index + 1}: ${problem}`);
  }
  return { directives: isDirected ? found : NO_DIRECTIVES, problems };
}

/** Each `--` comment before the first statement, with the index of its line. */
function* leadingComments(text: string): Generator<[number, string]> {
  const end = skipBlank(text, 0);
  let line = 0;
  for (let at = 0, next = 0; at < end; at = next) {
    if (text.startsWith('/*', at)) next = endOfComment(text, at);
    else if (text.startsWith('--', at)) {
      next = endOfLine(text, at);
      yield [line, text.slice(at, next).trim()];
    } else next = at + 1;
    line += text.slice(at, next).split('\n').length - 1;
  }
}

function readDirective(body: string, found: { -readonly [K in keyof Directives]: Directives[K] }): string | undefined {
  const [name = '', value] = body.split(/^allow\b/.test(body) ? /[=\s]/ : '=', 2).map((part) => part.trim());
  switch (name) {
    case 'no-transaction':
    case 'irreversible':
      if (value !== undefined) return `directive "${name}" takes no value`;
      found[name === 'irreversible' ? 'irreversible' : 'noTransaction'] = true;
      return undefined;
    // Only `validate` reads it.
    case 'allow':
      return undefined;
    case 'lock-timeout':
    case 'statement-timeout': {
      const ms = parseDuration(value ?? '');
      if (ms === undefined) return `directive "${name}" needs a duration such as ${name}=2s (ms, s, min, h)`;
      found[name === 'lock-timeout' ? 'lockTimeoutMs' : 'statementTimeoutMs'] = ms;
      return undefined;
    }
    default: {
      const shown = name.length > 60 ? `${name.slice(0, 60)}…` : name;
      const guess = nearest(shown, DIRECTIVES);
      return `unknown directive "${shown}"${guess ? `; did you mean "${guess}"?` : `; valid directives: ${DIRECTIVES.join(', ')}`}`;
    }
  }
}
