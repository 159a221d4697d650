/** Checks the words of the command line before the parser reads them, so that nothing is taken for something else. */
import { COMMAND_NAMES, isCommand } from './commands.ts';
import { nearest } from '../core/text/nearest.ts';
import type { CommandName } from '../core/runner.ts';
import { parseBoolean, shown } from '../config/option-values.ts';
import { belongsTo, flagOf, flagsOf, keyOf, negatedFlagOf, OPTION_KEYS, optionEntry } from '../config/options.ts';

/** Flags that are no settings. */
const HELP_FLAGS = ['--help', '-h', '--version'];

/** The command, and its other words; a boolean flag with a value has become `--flag` or `--no-flag`. */
export interface CheckedWords {
  readonly command: CommandName;
  readonly words: readonly string[];
  readonly problems: readonly string[];
}

/** The problem of a command line that does not begin with a command, or its checked words. */
export function checkWords(argv: readonly string[]): CheckedWords | { readonly problem: string } {
  const [command, ...rest] = argv;
  if (command === undefined) return { problem: `no command; give one of ${COMMAND_NAMES.join(', ')}` };
  if (!isCommand(command)) return { problem: commandProblem(command) };
  const problems: string[] = [];
  const words = rest.map((word, index) => {
    const checked = isFlag(word) ? checkFlag(word, command) : checkWord(word, rest[index - 1], command);
    if ('problem' in checked) problems.push(checked.problem);
    return 'word' in checked ? checked.word : word;
  });
  return { command, words, problems };
}

/** The parser takes every other word with a dash for a flag, also after a flag that wants a value. */
function isFlag(word: string): boolean {
  return /^-/.test(word) && !isNegativeNumber(word);
}

function isNegativeNumber(word: string): boolean {
  return /^-(?:\d+(?:\.\d+)?|\.\d+)$/.test(word);
}

/** A negative number is a value, or the parser gives up at it. */
function checkWord(
  word: string,
  previous: string | undefined,
  command: CommandName,
): { word: string } | { problem: string } {
  const wantsValue = OPTION_KEYS.some((key) => flagOf(key) === previous && optionEntry(key).type !== 'boolean');
  return isNegativeNumber(word) && !wantsValue ? { problem: `"${command}" takes no word ${shown(word)}` } : { word };
}

function commandProblem(word: string): string {
  if (isFlag(word)) return `the command comes first, then its flags; ${shown(nameOf(word))} is not a command`;
  const guess = nearest(word, COMMAND_NAMES);
  return `unknown command ${shown(word)}; ${guess === undefined ? `known are ${COMMAND_NAMES.join(', ')}` : `did you mean "${guess}"?`}`;
}

function checkFlag(word: string, command: CommandName): { word: string } | { problem: string } {
  const name = nameOf(word);
  const value = name === word ? undefined : word.slice(name.length + 1);
  if (HELP_FLAGS.includes(name)) return value === undefined ? { word } : { problem: `${name} takes no value` };
  const key = keyOf(name, command);
  if (key === undefined) return { problem: unknownFlag(name, command) };
  if (!belongsTo(key, command))
    return { problem: `${name} is not for "${command}"; it is for ${optionEntry(key).commands.join(', ')}` };
  if (optionEntry(key).type !== 'boolean' || value === undefined) return { word };
  const on = parseBoolean(value);
  if (on === undefined || name !== flagOf(key))
    return { problem: `${name} takes no such value; write ${flagsOf(key).join(' or ')}` };
  return { word: on ? flagOf(key) : negatedFlagOf(key) };
}

/** `--to` of `--to=1`. What follows the `=` may be a secret. */
function nameOf(word: string): string {
  return word.split('=', 1)[0] ?? word;
}

function unknownFlag(name: string, command: CommandName): string {
  const own = OPTION_KEYS.filter((key) => belongsTo(key, command)).flatMap(flagsOf);
  const guess = /\w/.test(name) ? nearest(name, [...own, '--help']) : undefined;
  return `unknown flag ${shown(name)}${guess === undefined ? '' : `; did you mean ${guess}?`}`;
}
