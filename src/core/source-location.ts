/** Where in a migration file something is, as a person counts: lines and characters from 1. */
import type { SourceLocation } from './errors.ts';

/** Longer lines are cut around the place. */
const MAX_LINE = 160;

/** The place of `offset` (UTF-16 code units) in `text`. Columns count characters, so `é` and an emoji are one each. */
export function locate(file: string, text: string, offset: number): SourceLocation {
  const at = Math.min(Math.max(offset, 0), text.length);
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  const lineEnd = text.indexOf('\n', at);
  const line = before.split('\n').length;
  const column = Array.from(text.slice(lineStart, at)).length + 1;
  const whole = text.slice(lineStart, lineEnd === -1 ? text.length : lineEnd).replace(/\r$/, '');
  return { file, line, column, text: maskPasswords(whole) };
}

/** The UTF-16 offset of the `position`th character (from 1) of `text`, as PostgreSQL counts. */
export function offsetOfCharacter(text: string, position: number): number {
  let offset = 0;
  for (let left = position - 1; left > 0 && offset < text.length; left -= 1) {
    offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  }
  return offset;
}

/** Hides the string after the word PASSWORD, and the password of an address. */
export function maskPasswords(text: string): string {
  return text
    .replaceAll(/(\bpassword\s*=?\s*)(?:[eu]&?)?'(?:[^']|'')*'?/gi, "$1'***'")
    .replaceAll(/(:\/\/[^:@/\s]*):[^@/\s]*@/g, '$1:***@');
}

/** The line with a caret under the column; long lines are cut around it. */
export function caretLines(location: SourceLocation): [string, string] {
  const characters = Array.from(location.text);
  const start = location.column > MAX_LINE - 20 ? location.column - MAX_LINE / 2 : 0;
  const shown = characters.slice(start, start + MAX_LINE).join('').replaceAll('\t', ' ');
  return [shown, `${' '.repeat(Math.max(0, location.column - 1 - start))}^`];
}
