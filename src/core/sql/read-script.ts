/** Parses a script, skipping what only psql understands, so that all problems are found at once. */
import { mentionsPassword } from '../text/secrets.ts';
import { COPY_THROUGH_CLIENT } from './copy-through-client.ts';
import { copiesThroughClient } from './refusals.ts';
import { remarkAt } from './remark.ts';
import type { ParseResult, ScriptRemark } from './script-plan.ts';
import { blank, endOfLine, skipBlank } from '../text/sql-text.ts';

/** UTF-8 bytes. A parse tree takes a hundred times as much memory as its text. */
const MAX_PARSED_BYTES = 1_000_000;

/** At most this many psql commands and COPY blocks are skipped; each costs one more parse of the text. */
const MAX_ATTEMPTS = 25;

const NUL_CHARACTER = "a NUL character can't be sent to the server: is the file text in UTF-8?";

export interface Reading {
  /** The script's own text. */
  readonly original: string;
  /** The text as it may be sent: as long as the script's, with pg_dump's `\restrict` lines blanked. */
  readonly text: string;
  readonly parse: ParseResult | 'too large';
  readonly problems: readonly ScriptRemark[];
}

/** Yields the texts to parse and receives the results. */
type Reader<Result> = Generator<string, Result, ParseResult>;

export function* readScript(script: string): Reader<Reading> {
  const nul = script.indexOf('\0');
  const problems = nul === -1 ? [] : [remarkAt(script, nul, NUL_CHARACTER)];
  let text = script.replaceAll('\0', ' ');
  if (Buffer.byteLength(text) > MAX_PARSED_BYTES) {
    return { original: script, text: withoutRestrict(text, skipBlank(text, 0)) ?? text, parse: 'too large', problems };
  }
  let parse = yield text;
  for (let attempt = 1; !parse.ok && attempt < MAX_ATTEMPTS; attempt += 1) {
    const next = yield* lookPast(text, parse.offset, script);
    if (next === undefined) break;
    if (next.problem) problems.push(next.problem);
    text = next.text;
    parse = yield text;
  }
  return { original: script, text, parse, problems };
}

interface Detour {
  readonly text: string;
  readonly problem?: ScriptRemark;
}

function* lookPast(text: string, offset: number, original: string): Reader<Detour | undefined> {
  const restricted = withoutRestrict(text, offset);
  if (restricted !== undefined) return { text: restricted };
  return (yield* withoutCopy(text, offset)) ?? withoutCommand(text, offset, original);
}

/** If pg_dump's `\restrict KEY` or `\unrestrict KEY` is at `offset`, blanks every such line with that key. */
function withoutRestrict(text: string, offset: number): string | undefined {
  if (!/^[\r\n]?$/.test(text.charAt(offset - 1))) return undefined;
  const line = text.slice(offset, endOfLine(text, offset));
  const key = /^\\(?:un)?restrict[ \t]+(?<key>[A-Za-z0-9]+)[ \t]*$/.exec(line)?.groups?.['key'];
  if (key === undefined) return undefined;
  const lines = new RegExp(`^\\\\(?:un)?restrict[ \\t]+${key}[ \\t]*$`, 'gm');
  return text.replace(lines, (match) => ' '.repeat(match.length));
}

/** If the syntax error at `offset` is in the data of a COPY … FROM STDIN, blanks the statement and its data. */
function* withoutCopy(text: string, offset: number): Reader<Detour | undefined> {
  if (!/\bstdin\b/i.test(text.slice(0, offset))) return undefined;
  let semicolon = text.lastIndexOf(';', offset);
  for (let attempt = 1; semicolon > 0 && attempt < MAX_ATTEMPTS; attempt += 1) {
    const before = yield text.slice(0, semicolon);
    if (before.ok) {
      const copy = before.statements.findLast(
        ({ kind, node }) => copiesThroughClient(kind, node) && node['is_from'] === true,
      );
      if (!copy) return undefined;
      const dataEnd = /^\\\.[ \t]*$/m.exec(text.slice(copy.end));
      if (!dataEnd && copy !== before.statements.at(-1)) return undefined;
      const end = dataEnd ? copy.end + dataEnd.index + dataEnd[0].length : text.length;
      return { text: blank(text, copy.start, end), problem: remarkAt(text, copy.start, COPY_THROUGH_CLIENT) };
    }
    semicolon = text.lastIndexOf(';', semicolon - 1);
  }
  return undefined;
}

function withoutCommand(text: string, offset: number, original: string): Detour | undefined {
  if (text[offset] !== '\\') return undefined;
  const end = endOfLine(text, offset);
  // The backslash may be part of a string, and the string part of a password.
  const command = mentionsPassword(original.slice(0, offset))
    ? 'this'
    : (/^\\\S*/.exec(text.slice(offset, end))?.[0] ?? '');
  const message = `${command} is a psql command, which the server does not understand: remove it, or write the SQL that it stands for`;
  const rest = blank(text, offset, end).slice(offset + 1);
  // \gexec and its like end the statement before them; the semicolon does the same.
  return { text: `${text.slice(0, offset)};${rest}`, problem: remarkAt(text, offset, message) };
}
