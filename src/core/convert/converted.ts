/** The result of a conversion: new files, or why an old file has no counterpart. */
import { tokensOf } from '../sql/tokens.ts';

export interface OldFile {
  /** Below the old directory, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface NewFile {
  readonly name: string;
  readonly text: string;
}

/** One old file and the new files made from it. */
export interface ConvertedFile {
  readonly path: string;
  /** Its SQL as one text that PostgreSQL can parse; the conversion has added nothing but semicolons. */
  readonly sql: string;
  /** The up half first. */
  readonly files: readonly NewFile[];
}

export interface Converted {
  readonly converted: readonly ConvertedFile[];
  /** With file and line. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export const NO_TRANSACTION = '-- lockstep: no-transaction\n';

/** An up file without statements gets a comment, because a file of zero bytes is refused. */
export function upFile(version: string, text: string): NewFile {
  return { name: `${version}.up.sql`, text: text === '' ? '-- nothing is done here\n' : text };
}

/** Whether the text has anything besides comments and semicolons. */
export function hasStatements(text: string): boolean {
  for (const { kind, start, end } of tokensOf(text))
    if (kind === 'quoted' || (kind === 'code' && /[^\s;]/.test(text.slice(start, end)))) return true;
  return false;
}

export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** The base name of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
