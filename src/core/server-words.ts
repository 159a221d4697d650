/** What is kept of a server's words, and which of them may leave the log. */
import type { ServerError } from './errors.ts';
import { cutMiddle } from './text/one-line.ts';
import { maskPasswords } from './text/secrets.ts';

/** Of each text of a server: a message may have hundreds of megabytes, and is copied on every way that it goes. */
const MAX_WORDS_BYTES = 8_000;

/** Masked first: a password of which only the end is left could not be known any more. */
export function boundedWords(text: string): string {
  return text.length <= MAX_WORDS_BYTES / 4 ? text : cutMiddle(maskPasswords(text), MAX_WORDS_BYTES);
}

/**
 * Data exceptions quote the value (PostgreSQL manual, "PostgreSQL Error Codes", class 22). So may what comes from outside:
 * external routines (38, 39) and foreign data (HV). Integrity violations (23) name what is violated, and the row in DETAIL.
 */
const QUOTES_VALUES = /^(22|38|39|HV)/;

/** The message and the hint without values of rows, which only the log shows; DETAIL and CONTEXT are rows by and large. */
export function publicWords({
  sqlstate,
  message,
  hint,
  mayQuoteRows,
}: ServerError): Pick<ServerError, 'message' | 'hint'> {
  const shown = QUOTES_VALUES.test(sqlstate) || mayQuoteRows === true ? withoutValues : (text: string): string => text;
  return { message: shown(message), ...(hint !== undefined && { hint: shown(hint) }) };
}

/** Of every language that PostgreSQL speaks; a character that could not be read may be one, too. */
const QUOTE = /["'`<>\p{Pi}\p{Pf}\u201a\u201e\u300a-\u300f\uff02\ufffd]/gu;
/** Not of a name, such as int8; other scripts write a number without a space before it. */
const NUMBER = /(?<!\w)[+-]?\p{N}[\p{N}\w.:+-]*/gu;

/** Whether it quotes what does not stand in `source`, as a row's value that is taken for a name ('…'::regclass). */
export function quotesOthers(message: string, source: string): boolean {
  const plain = source.replaceAll('"', '').toLowerCase();
  const quoted = message
    .toLowerCase()
    .split(QUOTE)
    .filter((_, index) => index % 2 === 1);
  return quoted.some((piece) => !plain.includes(piece.trim()));
}

/** From the first quotation mark to the last, as the value may hold some itself; and numbers, which stand without them. */
function withoutValues(text: string): string {
  const quotes = [...text.matchAll(QUOTE)];
  const [first, last] = [quotes[0], quotes.at(-1)];
  // Some translations leave the marks out.
  if (!first || !last) return /[^\x00-\x7f]/.test(text) ? '…' : text.replaceAll(NUMBER, '…');
  const after = first === last ? '' : text.slice(last.index + last[0].length);
  return `${text.slice(0, first.index).replaceAll(NUMBER, '…')}"…"${after.replaceAll(NUMBER, '…')}`;
}
