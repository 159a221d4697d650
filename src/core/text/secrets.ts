/** Finds and masks passwords in text: after the word PASSWORD, and in addresses. In doubt, it masks. */
import { skipBlank } from './sql-text.ts';

const MASK = '***';

/** Nested comments are read repeatedly; after this many characters, the rest is masked unread. */
const MOST_READ = 20_000_000;

/** Masks the string after the word PASSWORD, and the password of an address. */
export function maskPasswords(text: string): string {
  return maskAround(text, 0).text;
}

/** The masked text, and the offset in it that corresponds to `at`. */
export function maskAround(text: string, at: number): { text: string; at: number } {
  let masked = '';
  let rest = 0;
  let moved = at;
  for (const { start, end, mask } of secretRanges(text)) {
    masked += text.slice(rest, start) + mask;
    rest = end;
    if (end <= at) moved += mask.length - (end - start);
    else if (start < at) moved = masked.length - mask.length;
  }
  return { text: masked + text.slice(rest), at: moved };
}

/**
 * A parser's message without the text that it quotes, if that may belong to a password: after a syntax error, it is
 * unclear where strings begin and end. `before` is the text up to the error. The message may be in any language, so
 * everything after the first quotation mark is removed.
 */
export function withoutQuoted(message: string, before: string): string {
  return mentionsPassword(before) ? message.replace(/["'\p{Pi}\p{Pf}\p{Ps}\u201e].*$/su, '…') : message;
}

export function mentionsPassword(text: string): boolean {
  return /password/i.test(text);
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly mask: string;
}

/** In order; they do not overlap. */
function secretRanges(text: string): Range[] {
  const ranges = [...rangesInAddresses(text), ...rangesAfterTheWord(text)].sort((a, b) => a.start - b.start);
  const apart: Range[] = [];
  for (const range of ranges) {
    const last = apart.at(-1);
    if (!last || last.end <= range.start) apart.push(range);
    else if (last.end < range.end) apart[apart.length - 1] = { ...last, end: range.end };
  }
  return apart;
}

function rangesInAddresses(text: string): Range[] {
  if (!text.includes('://')) return [];
  // Up to the last @ that may belong to it: if it is not encoded, the end of the password is unknown.
  return [...text.matchAll(/(?<=:\/\/[^:@/\s]*:)[^\s"'<>]*(?=@)/g)].map(({ index, 0: found }) => ({
    start: index,
    end: index + found.length,
    mask: MASK,
  }));
}

function rangesAfterTheWord(text: string): Range[] {
  const ranges: Range[] = [];
  let read = 0;
  // The quotation mark ends a name: "password".
  for (const { index, 0: word } of text.matchAll(/password"?/gi)) {
    const from = index + word.length;
    const range = secretAfter(text, from);
    // The white space and comments after it were also read, in search of another string.
    read += skipBlank(text, range.end) - from;
    ranges.push(range);
    if (read > MOST_READ) return [...ranges, { start: from, end: text.length, mask: MASK }];
  }
  return ranges.filter(({ start, end }) => start < end);
}

/** `start` equals `end` if there is none. */
function secretAfter(text: string, from: number): Range {
  const { at, assigned } = skipToValue(text, from);
  const [end, quote] = READINGS.map((read) => read(text, at)).reduce((a, b) => (b[0] > a[0] ? b : a));
  // The mask keeps the quotes, so that it is masked again if the text becomes part of a longer one.
  if (end > at || !assigned) return { start: at, end, mask: quote + MASK + quote };
  if (matchAt(/[\w.]+\s*\(/y, text, at) > at) return { start: at, end: endOfStatement(text, at), mask: MASK };
  // As in "host=db password=…", but not a parameter, and not a mask.
  return { start: at, end: matchAt(/(?!\$\d|\*{3}(?:[\s'"&;]|$))[^\s'"&]+/y, text, at), mask: MASK };
}

/** Skips white space, comments, and an assignment sign (=, :=, =>, TO), or the colon of JSON. */
function skipToValue(text: string, from: number): { at: number; assigned: boolean } {
  const sign = skipBlank(text, from);
  const end = matchAt(/[=:>]+|to\b/iy, text, sign);
  return { at: skipBlank(text, end), assigned: text.slice(sign, end).includes('=') };
}

/**
 * Each returns the offset after the secret (`at` if it is of another kind, the text's length if it has no end), and its
 * quotes.
 */
const READINGS: readonly ((text: string, at: number) => readonly [end: number, quote: string])[] = [
  (text, at) => [endOfLiteral(text, at), "'"],
  endOfNested,
  (text, at) => [endOfPieces(text, at), ''],
  // In JSON or another SQL dialect.
  (text, at) => [text[at] === '"' ? endOfQuoted(text, at + 1, '"', true) : at, '"'],
];

/** An SQL string, including its continuations after line breaks (PostgreSQL manual, "String Constants"). */
function endOfLiteral(text: string, at: number): number {
  const tag = /\$[\w\u0080-\uffff]*\$/y;
  const body = matchAt(tag, text, at);
  if (body > at) {
    const close = text.indexOf(text.slice(at, body), body);
    return close === -1 ? text.length : close + body - at;
  }
  let end = at;
  for (let next = matchAt(PREFIX, text, at); text[next] === "'"; next = continuation(text, end)) {
    end = endOfEither(text, next + 1, "'");
  }
  return end;
}

function continuation(text: string, end: number): number {
  const next = skipBlank(text, end);
  return text.slice(end, next).includes('\n') ? next : end;
}

const PREFIX = /(?:[enbx]|u&)?(?=['\\])/iy;
const NESTED_QUOTE = /''+|\\+['"]/y;

/** A string within a string, as in EXECUTE: ''…'' or \'…\'. */
function endOfNested(text: string, at: number): [number, string] {
  const open = matchAt(PREFIX, text, at);
  const body = matchAt(NESTED_QUOTE, text, open);
  const quote = text.slice(open, body);
  if (quote === '') return [at, quote];
  const end = quote.startsWith('\\') ? endOfQuoted(text, body, quote, false) : endOfEither(text, body, quote);
  // An empty string, and no other follows.
  return [end === text.length && /^''[\s;,)]/.test(text.slice(open, open + 3)) ? at : end, quote];
}

/** SQL concatenated from pieces: masks the whole statement, because the string ends at the word. */
function endOfPieces(text: string, at: number): number {
  const pieces = /%(?:\d+\$)?-?[LsI]|'(?:'')*(?=\s*(?:\|\||[,)]))/y;
  const rest = matchAt(pieces, text, at);
  return rest === at ? at : endOfStatement(text, matchAt(/'|\$\w*\$/y, text, rest));
}

/** Whether a backslash escapes depends on the E, and on a setting. */
function endOfEither(text: string, from: number, quote: string): number {
  return Math.max(endOfQuoted(text, from, quote, false), endOfQuoted(text, from, quote, true));
}

/** The offset after the closing quote; a doubled quote belongs to the string. */
function endOfQuoted(text: string, from: number, quote: string, escapes: boolean): number {
  let at = from;
  while (at < text.length) {
    if (escapes && text[at] === '\\') at += 2;
    else if (!text.startsWith(quote, at)) at += 1;
    else if (text.startsWith(quote, at + quote.length)) at += 2 * quote.length;
    else return at + quote.length;
  }
  return text.length;
}

function endOfStatement(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== ';') at = Math.max(at + 1, endOfLiteral(text, at));
  return at;
}

/** The offset after what the sticky `pattern` matches at `at`; `at` if nothing. */
function matchAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
