/** Parses SQL with PostgreSQL's own grammar (libpg-query), and converts byte offsets to UTF-16 offsets. */
import type { ParsedStatement, ParseResult, SqlParser } from '../../core/sql/script-plan.ts';
import { offsetOfCharacter } from '../../core/text/source-location.ts';
import { skipBlank } from '../../core/text/sql-text.ts';
import type { Grammar, RawResult } from './wasm.ts';

/** A module's memory never shrinks, so one that has parsed a longer text (in UTF-16 code units) is discarded. */
const LONG_TEXT = 250_000;

/** Loads PostgreSQL's parser at its first use. */
export function createSqlParser(): SqlParser {
  return new PgQueryParser();
}

class PgQueryParser implements SqlParser {
  /** One for the whole process: loading takes memory and time, and parsing is synchronous. */
  static #grammar: Grammar | undefined;

  /** A syntax error is a result; only a parser that cannot be loaded throws. */
  async parse(text: string): Promise<ParseResult> {
    // A C string ends at a NUL.
    const nul = text.indexOf('\0');
    if (nul !== -1) return { ok: false, message: 'a NUL character', offset: nul };
    const grammar = (PgQueryParser.#grammar ??= await (await import('./wasm.ts')).loadGrammar());
    try {
      return translate(text, grammar(text));
    } catch (error) {
      PgQueryParser.#grammar = undefined;
      return { ok: false, message: `the parser gave up (${String(error)})`, offset: skipBlank(text, 0) };
    } finally {
      if (text.length > LONG_TEXT) PgQueryParser.#grammar = undefined;
    }
  }
}

function translate(text: string, result: RawResult): ParseResult {
  if ('error' in result) {
    return { ok: false, message: result.error, offset: offsetOfCharacter(text, Math.max(result.position, 1)) };
  }
  const offsets = new ByteOffsets(text);
  const statements = result.statements.flatMap(
    ({ stmt, stmt_location: from = 0, stmt_len: length }): ParsedStatement[] => {
      const [kind, node] = Object.entries(stmt ?? {})[0] ?? [];
      if (kind === undefined || node === undefined) return [];
      // PostgreSQL counts comments after the last semicolon as part of the statement.
      const start = skipBlank(text, offsets.toUtf16(from));
      const end = length === undefined ? text.length : offsets.toUtf16(from + length);
      return [{ kind, node, start, end: withoutTrailingSpace(text, end) }];
    },
  );
  return { ok: true, statements };
}

/** Not trimEnd(): a no-break space is a letter to PostgreSQL. */
function withoutTrailingSpace(text: string, end: number): number {
  let at = end;
  while (' \t\n\r\f\v'.includes(text.charAt(at - 1)) && at > 0) at -= 1;
  return at;
}

/** Reads a text once, so byte offsets must be requested in ascending order. */
class ByteOffsets {
  readonly #text: string;
  #bytes = 0;
  #utf16 = 0;

  constructor(text: string) {
    this.#text = text;
  }

  toUtf16(byteOffset: number): number {
    while (this.#bytes < byteOffset && this.#utf16 < this.#text.length) {
      const codePoint = this.#text.codePointAt(this.#utf16) ?? 0;
      this.#bytes += codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
      this.#utf16 += codePoint < 0x10000 ? 1 : 2;
    }
    return this.#utf16;
  }
}
