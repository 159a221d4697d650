/** Which changes of a column's type PostgreSQL makes without rewriting the table (ATColumnChangeRequiresRewrite). */
import type { ColumnType } from './tree.ts';

const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar']);
const WITH_PRECISION: ReadonlySet<string> = new Set(['timestamp', 'timestamptz', 'time', 'timetz']);

/** `from` is undefined where no file has made the column: a change to plain text is mostly one from varchar. */
export function isFreeTypeChange(from: ColumnType | undefined, to: ColumnType): boolean {
  const unlimitedText = TEXTS.has(to.name) && to.modifiers.length === 0 && !to.array;
  if (!from) return unlimitedText;
  if (from.name === to.name && from.array === to.array && isSame(from.modifiers, to.modifiers)) return true;
  if (from.array || to.array) return false;
  if (TEXTS.has(from.name) && unlimitedText) return true;
  if (from.name === 'cidr' && to.name === 'inet') return true;
  if (from.name !== to.name) return false;
  return to.name === 'interval' ? widens(from.modifiers, to.modifiers) : grows(to.name, from.modifiers, to.modifiers);
}

function isSame(from: readonly number[], to: readonly number[]): boolean {
  return from.length === to.length && from.every((one, index) => one === to[index] && one >= 0);
}

function grows(
  name: string,
  [from = Infinity, fromScale = 0]: readonly number[],
  [to = Infinity, toScale = 0]: readonly number[],
): boolean {
  if (from < 0 || to < 0) return false;
  switch (name) {
    case 'varchar':
    case 'varbit':
      return to >= from;
    case 'numeric':
      return to === Infinity || (from !== Infinity && to >= from && toScale === fromScale);
    default:
      return WITH_PRECISION.has(name) && Math.min(to, 6) >= Math.min(from, 6);
  }
}

/** The first modifier of an interval says which fields it has. */
function widens([fields, from = Infinity]: readonly number[], [newFields, to = Infinity]: readonly number[]): boolean {
  return newFields === undefined || (fields === newFields && to >= from);
}
