/** Which of a server's texts are kept, and which may be shown outside the log. */
import type { ServerError } from './errors.ts';
import { cutMiddle } from './text/one-line.ts';
import { maskPasswords } from './text/secrets.ts';

/** For each text: a server's message may have hundreds of megabytes, and is copied several times. */
const MAX_WORDS_BYTES = 8_000;

/** Masks before it cuts: half a password would not be recognised any more. */
export function boundedWords(text: string): string {
  return text.length <= MAX_WORDS_BYTES / 4 ? text : cutMiddle(maskPasswords(text), MAX_WORDS_BYTES);
}

/**
 * Data exceptions quote the value (PostgreSQL manual, "PostgreSQL Error Codes", class 22). So may what comes from
 * outside: external routines (38, 39) and foreign data (HV). Integrity violations (23) name what is violated, and the
 * row in DETAIL.
 */
const QUOTES_VALUES = /^(22|38|39|HV)/;

/**
 * The message and the hint without values of rows, which only the log shows. DETAIL and CONTEXT are left out: they are
 * mostly rows.
 */
export function publicWords({
  sqlstate,
  message,
  hint,
  mayQuoteRows,
}: ServerError): Pick<ServerError, 'message' | 'hint'> {
  const shown = QUOTES_VALUES.test(sqlstate) || mayQuoteRows === true ? withoutValues : (text: string): string => text;
  return { message: shown(message), ...(hint !== undefined && { hint: shown(hint) }) };
}

/** Quotation marks in every language of PostgreSQL's messages; an unreadable character may be one, too. */
const QUOTE = /["'`<>\p{Pi}\p{Pf}\u201a\u201e\u300a-\u300f\uff02\ufffd]/gu;
/** A number that is not part of a name such as int8; some scripts put no space before a number. */
const NUMBER = /(?<!\w)[+-]?\p{N}[\p{N}\w.:+-]*/gu;

/** Whether it quotes something that is not in `source`, such as a row's value cast to a name ('…'::regclass). */
export function quotesOthers(message: string, source: string): boolean {
  const plain = source.replaceAll('"', '').toLowerCase();
  const quoted = message
    .toLowerCase()
    .split(QUOTE)
    .filter((_, index) => index % 2 === 1);
  return quoted.some((piece) => !plain.includes(piece.trim()));
}

/** Removes everything from the first quotation mark to the last, because a value may contain some, and all numbers, which are not quoted. */
function withoutValues(text: string): string {
  const quotes = [...text.matchAll(QUOTE)];
  const [first, last] = [quotes[0], quotes.at(-1)];
  // Some translations use no quotation marks.
  if (!first || !last) return /[^\x00-\x7f]/.test(text) ? '…' : text.replaceAll(NUMBER, '…');
  const after = first === last ? '' : text.slice(last.index + last[0].length);
  return `${text.slice(0, first.index).replaceAll(NUMBER, '…')}"…"${after.replaceAll(NUMBER, '…')}`;
}
