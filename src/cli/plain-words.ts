/**
 * Reads the few plain words that a pod gives, without the parser: loading that takes longer than all else that a replica
 * with nothing to do has to do. In any doubt it says nothing, and the parser reads them.
 */
import { flagOf, keyOf, optionEntry, type OptionKey, type RawOptions } from '../config/options.ts';
import { checkWords } from './words.ts';

/** What the command line says, or undefined where that is for the parser to say. */
export function readPlainWords(argv: readonly string[]): RawOptions | undefined {
  const checked = checkWords(argv);
  if ('problem' in checked || checked.problems.length > 0 || checked.command === 'create') return undefined;
  const flags: Partial<Record<OptionKey, string | boolean>> = {};
  const rest = [...checked.words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [name = '', value] = /^(--[a-z-]+)(?:=(.*))?$/s.exec(word)?.slice(1) ?? [];
    const key = keyOf(name, checked.command);
    if (key === undefined || flags[key] !== undefined) return undefined;
    const said = isBoolean(key) ? name === flagOf(key) : (value ?? rest.shift());
    if (said === undefined || (typeof said === 'string' && !isPlain(said))) return undefined;
    flags[key] = said;
  }
  return { command: checked.command, flags };
}

function isBoolean(key: OptionKey): boolean {
  return optionEntry(key).type === 'boolean';
}

/** Nothing that the parser may take for a flag, or takes apart: no leading dash, no quotes, not empty. */
function isPlain(value: string): boolean {
  return /^[^-"'][^"']*$/.test(value);
}
