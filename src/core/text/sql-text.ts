/** Skips white space and comments in SQL. */

/** The offset of the first token at or after `from`; the text's length if there is none. */
export function skipBlank(text: string, from: number): number {
  // White space, or a comment to the end of its line.
  const run = /[ \t\n\r\f\v]+|--[^\n\r]*/y;
  let at = from;
  for (;;) {
    run.lastIndex = at;
    if (run.test(text)) at = run.lastIndex;
    else if (text.startsWith('/*', at)) at = endOfComment(text, at);
    else return at;
  }
}

/** The offset after the block comment that starts at `start`; PostgreSQL's comments nest. */
export function endOfComment(text: string, start: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 0;
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return text.length;
}

/** The offset of the line break after `at`, or of the text's end. */
export function endOfLine(text: string, at: number): number {
  const found = text.slice(at).search(/[\n\r]/);
  return found === -1 ? text.length : at + found;
}

/** Blanks the characters from `start` to `end`; offsets and line numbers stay the same. */
export function blank(text: string, start: number, end: number): string {
  return text.slice(0, start) + text.slice(start, end).replace(/[^\r\n]/g, ' ') + text.slice(end);
}
