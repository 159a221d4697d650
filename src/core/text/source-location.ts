/** Positions in a migration file: lines and characters, counted from 1. */
import { maskAround } from './secrets.ts';

/** A position in a migration file; `line` and `column` count from 1, in characters. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The line of SQL itself, secrets masked. */
  readonly text: string;
  /** The position in `text`, if masking has moved it; else `column` is the position. */
  readonly caret?: number;
}

/** Longer lines are cut around the position: when kept, and when shown. */
const MAX_TEXT = 2_000;
const MAX_LINE = 160;

/** The place of `offset` (UTF-16 code units) in `text`. Columns count characters, so `é` and an emoji are one each. */
export function locate(file: string, text: string, offset: number): SourceLocation {
  const at = Math.min(Math.max(offset, 0), text.length);
  const { line, column } = placeOf(text, at);
  // The word PASSWORD may be on another line than its string, so the whole text is masked.
  const masked = maskAround(text, at);
  const start = masked.text.lastIndexOf('\n', masked.at - 1) + 1;
  const end = masked.text.indexOf('\n', masked.at);
  const whole = masked.text.slice(start, end === -1 ? masked.text.length : end).replace(/\r$/, '');
  const from = whole.length <= MAX_TEXT ? 0 : Math.max(0, masked.at - start - MAX_TEXT / 2);
  const before = from === 0 ? '' : `[${from} characters cut] …`;
  const shown = (before + cutEnd(whole.slice(from), MAX_TEXT)).toWellFormed();
  const caret = before.length + characters(masked.text.slice(start + from, masked.at)).length + 1;
  return { file, line, column, text: shown, ...(caret !== column && { caret }) };
}

function cutEnd(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}… [${text.length - max} characters cut]`;
}

/** The same for a line and a column, both counted from 1. */
export function locateAt(
  file: string,
  text: string,
  { line, column }: { readonly line: number; readonly column: number },
): SourceLocation {
  const start =
    text
      .split('\n')
      .slice(0, line - 1)
      .join('\n').length + (line > 1 ? 1 : 0);
  return locate(file, text, start + offsetOfCharacter(text.slice(start), column));
}

interface Place {
  readonly line: number;
  readonly column: number;
}

/** The line and column of `offset`. */
export function placeOf(text: string, offset: number): Place {
  return new Places(text).at(offset);
}

/** Positions in one text. If they are requested in ascending order, the text is read only once. */
export class Places {
  readonly #text: string;
  #offset = 0;
  #line = 1;
  #column = 1;

  constructor(text: string) {
    this.#text = text;
  }

  at(offset: number): Place {
    if (offset < this.#offset) [this.#offset, this.#line, this.#column] = [0, 1, 1];
    while (this.#offset < offset) {
      const character = this.#text.codePointAt(this.#offset) ?? 0;
      this.#offset += character > 0xffff ? 2 : 1;
      if (character === 0x0a) [this.#line, this.#column] = [this.#line + 1, 1];
      else this.#column += 1;
    }
    return { line: this.#line, column: this.#column };
  }
}

function characters(text: string): string[] {
  return Array.from(text);
}

/** The UTF-16 offset of the `position`th character (from 1) of `text`, as PostgreSQL counts. */
export function offsetOfCharacter(text: string, position: number): number {
  let offset = 0;
  for (let left = position - 1; left > 0 && offset < text.length; left -= 1) {
    offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  }
  return offset;
}

/** The line with a caret under the position; longer lines than `width` characters are cut around it. */
export function caretLines(location: SourceLocation, width = MAX_LINE): [string, string] {
  const line = characters(location.text);
  const caret = location.caret ?? location.column;
  const start = caret > width - 20 ? Math.max(0, caret - Math.floor(width / 2)) : 0;
  const shown = line
    .slice(start, start + width)
    .join('')
    .replaceAll('\t', ' ');
  return [shown, `${' '.repeat(Math.max(0, caret - 1 - start))}^`];
}
