/** A short unified diff of two texts, for people. */

type Edit = readonly [mark: ' ' | '-' | '+', line: string];

const CONTEXT = 2;
const MAX_LINES = 40;
/** The comparison's table has a cell for each pair of lines. */
const MAX_CELLS = 4_000_000;

/** The lines of the diff; empty if the texts have the same lines. */
export function lineDiff(before: { name: string; text: string }, after: { name: string; text: string }): string[] {
  const edits = editsOf(linesOf(before.text), linesOf(after.text));
  if (edits.every(([mark]) => mark === ' ')) return [];
  const near = edits.map((_, at) =>
    edits.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(([mark]) => mark !== ' '),
  );
  const lines: string[] = [];
  for (const [at, [mark, line]] of edits.entries()) {
    if (near[at] === true) lines.push(`${mark} ${line}`.trimEnd());
    else if (near[at - 1] === true || at === 0) lines.push('  …');
  }
  const more = lines.length - MAX_LINES;
  const shown = more > 0 ? [...lines.slice(0, MAX_LINES), `… ${more} more lines`] : lines;
  return [`--- ${before.name}`, `+++ ${after.name}`, ...shown];
}

function linesOf(text: string): string[] {
  return text.trimEnd().split(/\r?\n/);
}

function editsOf(before: readonly string[], after: readonly string[]): Edit[] {
  const same = (mark: Edit[0], lines: readonly string[]): Edit[] => lines.map((line) => [mark, line] as const);
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(before.length, after.length) - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const [old, fresh] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  const middle = old.length * fresh.length > MAX_CELLS ? [...same('-', old), ...same('+', fresh)] : changes(old, fresh);
  return [...same(' ', before.slice(0, head)), ...middle, ...same(' ', before.slice(before.length - tail))];
}

/** By the longest common subsequence of lines. */
function changes(before: readonly string[], after: readonly string[]): Edit[] {
  const width = after.length + 1;
  const longest = new Uint32Array((before.length + 1) * width);
  const cell = (row: number, column: number): number => longest[row * width + column] ?? 0;
  for (let row = before.length - 1; row >= 0; row -= 1) {
    for (let column = after.length - 1; column >= 0; column -= 1) {
      longest[row * width + column] =
        before[row] === after[column]
          ? cell(row + 1, column + 1) + 1
          : Math.max(cell(row + 1, column), cell(row, column + 1));
    }
  }
  const edits: Edit[] = [];
  let [row, column] = [0, 0];
  while (row < before.length || column < after.length) {
    const [old, fresh] = [before[row], after[column]];
    if (old !== undefined && old === fresh) {
      edits.push([' ', old]);
      row += 1;
      column += 1;
    } else if (old !== undefined && (fresh === undefined || cell(row + 1, column) >= cell(row, column + 1))) {
      edits.push(['-', old]);
      row += 1;
    } else {
      edits.push(['+', fresh ?? '']);
      column += 1;
    }
  }
  return edits;
}
