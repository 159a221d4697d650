/** Converts tools that keep both halves in one file, separated by marker comments: goose, dbmate, node-pg-migrate. */
import { withoutBom } from '../migration.ts';
import { tokensOf } from '../sql/tokens.ts';
import {
  baseName,
  hasStatements,
  NO_TRANSACTION,
  upFile,
  type Converted,
  type ConvertedFile,
  type OldFile,
} from './converted.ts';

type MarkedTool = 'goose' | 'dbmate' | 'node-pg-migrate';
type Half = 'up' | 'down';

/** The meaning of a marker line. */
type Mark =
  | { readonly half: Half; readonly noTransaction?: boolean }
  | { readonly type: 'no transaction' | 'begin' | 'end' | 'nothing' }
  | { readonly problem: string };

const MARKS: Readonly<Record<MarkedTool, (line: string) => Mark | undefined>> = {
  goose: (line) => {
    const word = /^\s*--\s*\+goose\s+(?<word>.*?)\s*$/i
      .exec(line)
      ?.groups?.['word']?.toLowerCase()
      .replaceAll(/\s+/g, ' ');
    if (word === undefined) return undefined;
    if (word === 'up' || word === 'down') return { half: word };
    if (word === 'no transaction') return { type: 'no transaction' };
    if (word === 'statementbegin' || word === 'statementend')
      return { type: word === 'statementbegin' ? 'begin' : 'end' };
    if (word === 'envsub off') return { type: 'nothing' };
    return {
      problem:
        word === 'envsub on'
          ? 'ENVSUB has no counterpart: write the values of the variables'
          : `"${word}" is not a goose command`,
    };
  },
  dbmate: (line) => {
    const groups = /^--\s*migrate:(?<half>up|down)(?:\s+(?<options>\S.*?))?\s*$/i.exec(line)?.groups;
    const half = groups?.['half']?.toLowerCase();
    if (half !== 'up' && half !== 'down') return undefined;
    const options = (groups?.['options'] ?? '').split(/\s+/).filter((option) => option !== '');
    const unknown = options.find((option) => !/^transaction:(?:true|false)$/i.test(option));
    if (unknown !== undefined) return { problem: `the option ${unknown} has no counterpart` };
    return { half, noTransaction: options.some((option) => /false$/i.test(option)) };
  },
  'node-pg-migrate': (line) => {
    const half = /^\s*--[\s-]*(?<half>up|down)\s+migration/i.exec(line)?.groups?.['half']?.toLowerCase();
    return half === 'up' || half === 'down' ? { half } : undefined;
  },
};

/** Tools that take a file without a marker as the up half. */
const MARKS_ARE_OPTIONAL: ReadonlySet<MarkedTool> = new Set(['node-pg-migrate']);
const NAME = /^(?<version>\d+[_-].+?)(?:\.(?<half>up|down))?\.sql$/s;

export function convertMarked(tool: MarkedTool, files: readonly OldFile[]): Converted {
  const problems: string[] = [];
  const warnings: string[] = [];
  const converted: ConvertedFile[] = [];
  for (const { path, text } of files) {
    const groups = NAME.exec(baseName(path))?.groups;
    if (groups?.['version'] === undefined) {
      problems.push(
        `${path}:1: ${/\.sql$/.test(path) ? 'its name does not start with a number' : 'only SQL is converted: rewrite it as SQL or as a hook'}`,
      );
      continue;
    }
    const version = groups['version'].replace(/^(\d+)-/, '$1_');
    const half = groups['half'];
    if (half === 'up' || half === 'down')
      converted.push({ path, sql: text, files: [{ name: `${version}.${half}.sql`, text: withoutBom(text) }] });
    else converted.push(split(tool, { path, text: withoutBom(text) }, version, { problems, warnings }));
  }
  return { converted, problems, warnings };
}

interface Split {
  readonly problems: string[];
  readonly warnings: string[];
}

function split(
  tool: MarkedTool,
  { path, text }: OldFile,
  version: string,
  { problems, warnings }: Split,
): ConvertedFile {
  const halves = new Halves();
  const before = problems.length;
  for (const [index, line] of text.split(/(?<=\n)/).entries()) {
    const mark = MARKS[tool](line);
    const problem = mark && faultOf(mark, halves);
    if (problem !== undefined) problems.push(`${path}:${index + 1}: ${problem}`);
    if (mark) halves.mark(mark);
    else halves.add(line);
  }
  const { parts, seen, open } = halves;
  if (open) problems.push(`${path}:1: a StatementBegin has no StatementEnd`);
  // After a wrong marker, it is unknown which half starts there.
  const isWhole = problems.length > before || (seen.size === 0 && MARKS_ARE_OPTIONAL.has(tool));
  if (!isWhole && hasStatements(parts.head)) problems.push(`${path}:1: statements before the first ${tool} marker`);
  if (!isWhole && !seen.has('up')) problems.push(`${path}:1: no ${tool} marker starts its up half`);
  const hasDown = hasStatements(parts.down);
  if (seen.has('down') && !hasDown) warnings.push(`${path}: its down half is empty, so it gets no down file`);
  const files = [
    upFile(version, halves.textOf('up')),
    ...(hasDown ? [{ name: `${version}.down.sql`, text: halves.textOf('down') }] : []),
  ];
  return { path, sql: halves.sql, files };
}

/** The halves of a file, as far as it has been read. */
class Halves {
  readonly parts: Record<Half | 'head', string> = { head: '', up: '', down: '' };
  readonly seen = new Set<Half>();
  /** Between StatementBegin and StatementEnd. */
  open = false;
  /** Both halves as one text, with the semicolons that the markers implied. */
  sql = '';
  readonly #alone = new Set<Half>();
  #part: Half | 'head' = 'head';

  add(line: string): void {
    this.parts[this.#part] += line;
    this.sql += line;
  }

  mark(mark: Mark): void {
    const missing = missingSemicolon(this.parts[this.#part]);
    if ('half' in mark) {
      this.sql += missing;
      this.#part = mark.half;
      this.seen.add(mark.half);
      if (mark.noTransaction === true) this.#alone.add(mark.half);
    } else if ('type' in mark) {
      if (mark.type === 'end') this.add(missing);
      if (mark.type === 'begin' || mark.type === 'end') this.open = mark.type === 'begin';
      if (mark.type === 'no transaction') this.#alone.add('up').add('down');
    }
    this.sql += '\n';
  }

  textOf(half: Half): string {
    return `${this.#alone.has(half) ? NO_TRANSACTION : ''}${trimmed(half === 'up' ? this.parts.head + this.parts.up : this.parts.down)}`;
  }
}

function faultOf(mark: Mark, { seen, open }: Halves): string | undefined {
  if ('problem' in mark) return mark.problem;
  if ('half' in mark) {
    if (open) return 'a StatementBegin has no StatementEnd';
    return seen.has(mark.half) ? `a second marker for the ${mark.half} half` : undefined;
  }
  if (mark.type === 'begin' && open) return 'a StatementBegin inside another one';
  return mark.type === 'end' && !open ? 'a StatementEnd has no StatementBegin' : undefined;
}

/** goose ends a statement at its marker, with or without a semicolon. */
function missingSemicolon(text: string): string {
  const last = [...tokensOf(text)].findLast(
    ({ kind, start, end }) => kind !== 'comment' && text.slice(start, end).trim() !== '',
  );
  return last && (last.kind === 'quoted' || !/;\s*$/.test(text.slice(last.start, last.end))) ? ';\n' : '';
}

function trimmed(text: string): string {
  const kept = text.replace(/^(?:[ \t]*\r?\n)+/, '').trimEnd();
  return kept === '' ? '' : `${kept}\n`;
}
