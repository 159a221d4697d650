/** What does the command line say? The only reader of argv, driven by the OPTIONS table. */
import { COMMAND_NAMES, isCommand } from './commands.ts';
import { MigratorError } from '../core/errors.ts';
import type { CommandName } from '../core/runner.ts';
import { nearest } from '../core/text/nearest.ts';
import { VERSION } from '../core/version.ts';
import { parseBoolean, shown } from '../config/option-values.ts';
import {
  belongsTo,
  flagOf,
  flagsOf,
  keyOf,
  OPTION_KEYS,
  optionEntry,
  type OptionKey,
  type RawOptions,
} from '../config/options.ts';

export type Arguments = RawOptions | { readonly help: CommandName | 'lockstep' } | { readonly version: string };

/**
 * Checks words and flags; the values of flags are parsed together with the other settings.
 * @throws MigratorError CONFIG_INVALID for unknown commands, flags and words, all reported together.
 */
export function parseArguments(argv: readonly string[]): Arguments {
  if (argv[0] === '--version') return { version: VERSION };
  if (argv[0] === '--help' || argv[0] === '-h') return { help: 'lockstep' };
  const { command, name, flags, asks, problems } = readWords(argv);
  if (command === undefined || problems.length > 0) {
    const hint = `run: lockstep ${command === undefined ? '' : `${command} `}--help`;
    throw new MigratorError('CONFIG_INVALID', 'the command line is wrong', { problems, hint });
  }
  if (asks !== undefined) return asks === 'version' ? { version: VERSION } : { help: command };
  return name === undefined ? { command, flags } : { command, name, flags };
}

export interface Words {
  /** Undefined when the first word is not a command. */
  readonly command: CommandName | undefined;
  /** NAME of `create NAME`. */
  readonly name: string | undefined;
  /** Of a flag that is given twice, the first value. */
  readonly flags: RawOptions['flags'];
  readonly asks: 'help' | 'version' | undefined;
  readonly problems: readonly string[];
}

/** What could be read, also where some of the words are wrong: a failure is reported as far as its flags say how. */
export function readWords(argv: readonly string[]): Words {
  const [first, ...rest] = argv;
  if (!isCommand(first)) {
    const { flags, asks } = readFlags(argv);
    return { command: undefined, name: undefined, flags, asks, problems: [commandProblem(first)] };
  }
  const { flags, asks, others, problems } = readFlags(rest, first);
  const [name, ...extra] = first === 'create' ? others : [undefined, ...others];
  if (asks === undefined) problems.push(...extra.map((word) => extraWord(word ?? '', first)));
  return { command: first, name, flags, asks, problems };
}

type Flags = { -readonly [K in keyof RawOptions['flags']]: RawOptions['flags'][K] };

interface Read {
  readonly flags: Flags;
  readonly others: string[];
  readonly problems: string[];
  asks: Words['asks'];
}

function readFlags(words: readonly string[], command?: CommandName): Read {
  const read: Read = { flags: {}, others: [], problems: [], asks: undefined };
  const given = new Map<OptionKey, (string | boolean)[]>();
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (!word.startsWith('-')) read.others.push(word);
    else if (asked(word) !== undefined) read.asks ??= asked(word);
    else {
      const { key, value, problem, takesNext } = readFlag(word, words[at + 1], command);
      if (problem !== undefined) read.problems.push(problem);
      if (key !== undefined && value !== undefined) given.set(key, [...(given.get(key) ?? []), value]);
      if (takesNext) at += 1;
    }
  }
  for (const [key, [first = '', ...more]] of given) {
    read.flags[key] = first;
    if (more.some((value) => typeof first === 'boolean' && value !== first))
      read.problems.push(`give only one of ${flagsOf(key).join(', ')}`);
    else if (more.length > 0) read.problems.push(`${flagOf(key)} is given ${more.length + 1} times`);
  }
  return read;
}

function asked(word: string): Words['asks'] {
  if (word === '--version') return 'version';
  return word === '--help' || word === '-h' ? 'help' : undefined;
}

interface Flag {
  readonly key?: OptionKey;
  readonly value?: string | boolean;
  readonly problem?: string;
  /** The next word belongs to this flag. */
  readonly takesNext: boolean;
}

/** `--flag VALUE`, `--flag=VALUE`, `--boolean`, `--no-boolean` or `--boolean=yes`. */
function readFlag(word: string, next: string | undefined, command: CommandName | undefined): Flag {
  const [name, value] = splitAtEquals(word);
  // Another flag is never a value; a negative number may be one.
  const takesNext = value === undefined && next !== undefined && (!next.startsWith('-') || isNegativeNumber(next));
  const key = keyOf(name, command);
  if (key === undefined) return unknownFlag(word, { name, takesNext, command });
  const isBoolean = optionEntry(key).type === 'boolean';
  const said = isBoolean ? readBoolean(key, name, value) : { value: value ?? (takesNext ? next : '') };
  const misplaced =
    command === undefined || belongsTo(key, command)
      ? {}
      : { problem: `${name} is not for "${command}"; it is for ${optionEntry(key).commands.join(', ')}` };
  return { key, ...said, ...misplaced, takesNext: takesNext && !isBoolean };
}

/** `--to` of `--to=1`: what follows the `=` may be a secret. */
function splitAtEquals(word: string): [name: string, value?: string] {
  const at = word.indexOf('=');
  return at === -1 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}

function isNegativeNumber(word: string): boolean {
  return /^-(?:\d+(?:\.\d+)?|\.\d+)$/.test(word);
}

function readBoolean(key: OptionKey, name: string, text: string | undefined): Pick<Flag, 'value' | 'problem'> {
  if (text === undefined) return { value: name === flagOf(key) };
  const value = name === flagOf(key) ? parseBoolean(text) : undefined;
  return value === undefined
    ? { problem: `${name} takes no such value; write ${flagsOf(key).join(' or ')}` }
    : { value };
}

function unknownFlag(
  word: string,
  { name, takesNext, command }: { name: string; takesNext: boolean; command: CommandName | undefined },
): Flag {
  if (command !== undefined && isNegativeNumber(word)) return { problem: extraWord(word, command), takesNext: false };
  if (asked(name) !== undefined) return { problem: `${name} takes no value`, takesNext: false };
  const own = OPTION_KEYS.filter((key) => command === undefined || belongsTo(key, command)).flatMap(flagsOf);
  const guess = /\w/.test(name) ? nearest(name, [...own, '--help']) : undefined;
  return { problem: `unknown flag ${shown(name)}${guess === undefined ? '' : `; did you mean ${guess}?`}`, takesNext };
}

function extraWord(word: string, command: CommandName): string {
  const guess = keyOf(`--${word.toLowerCase()}`, command);
  const isOwn = guess !== undefined && belongsTo(guess, command);
  return `"${command}" takes no word ${shown(word)}${isOwn ? `; did you mean --${word.toLowerCase()}?` : ''}`;
}

function commandProblem(word: string | undefined): string {
  if (word === undefined) return `no command; give one of ${COMMAND_NAMES.join(', ')}`;
  if (word.startsWith('-') && !isNegativeNumber(word))
    return `the command comes first, then its flags; ${shown(splitAtEquals(word)[0])} is not a command`;
  const guess = nearest(word, COMMAND_NAMES);
  return `unknown command ${shown(word)}; ${guess === undefined ? `known are ${COMMAND_NAMES.join(', ')}` : `did you mean "${guess}"?`}`;
}
