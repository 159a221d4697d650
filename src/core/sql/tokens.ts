/** Splits a script into comments, quoted text and code, even if the parser cannot read it. */
import { endOfComment, endOfLine } from '../text/sql-text.ts';

export interface Token {
  /** `code` is everything else. */
  readonly kind: 'comment' | 'quoted' | 'code';
  readonly start: number;
  readonly end: number;
}

/** A word is matched as a whole, so that a `$` in it does not start a dollar quote. */
const NEXT =
  /--|\/\*|["']|\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/g;

export function* tokensOf(text: string): Generator<Token> {
  const next = new RegExp(NEXT);
  let from = 0;
  let escapes = false;
  for (let match = next.exec(text); match; match = next.exec(text)) {
    const [found] = match;
    const start = match.index;
    const isWord = /^[^-/"'$]/.test(found);
    if (!isWord) {
      if (start > from) yield { kind: 'code', start: from, end: start };
      const end = endOf(text, start, { found, escapes });
      yield { kind: found === '--' || found === '/*' ? 'comment' : 'quoted', start, end };
      next.lastIndex = from = end;
    }
    escapes = isWord && /^e$/i.test(found) && text[next.lastIndex] === "'";
  }
  if (from < text.length) yield { kind: 'code', start: from, end: text.length };
}

function endOf(
  text: string,
  start: number,
  { found, escapes }: { readonly found: string; readonly escapes: boolean },
): number {
  if (found === '--') return endOfLine(text, start);
  if (found === '/*') return endOfComment(text, start);
  if (found === "'" && escapes) return endOfEscaped(text, start);
  const end = text.indexOf(found, start + found.length);
  return end === -1 ? text.length : end + found.length;
}

/** The end of `E'…'`, in which a backslash escapes the next character. */
function endOfEscaped(text: string, start: number): number {
  const mark = /['\\]/g;
  mark.lastIndex = start + 1;
  for (let match = mark.exec(text); match; match = mark.exec(text)) {
    if (match[0] === "'") return mark.lastIndex;
    mark.lastIndex += 1;
  }
  return text.length;
}
