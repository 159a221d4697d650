/** What does the command line say? The only reader of argv, driven by the OPTIONS table. */
import { COMMAND_NAMES, FOREIGN_WORDS, isCommand, isTopic, TOPICS, type Topic } from './commands.ts';
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
  negatedFlagOf,
  OPTION_KEYS,
  optionEntry,
  type OptionKey,
  type RawOptions,
} from '../config/options.ts';

export type Arguments =
  | RawOptions
  | HelpRequest
  | { readonly version: string }
  /** Without a shell, for the one that is in use. */
  | { readonly completion: string | undefined };

export interface HelpRequest {
  readonly help: Topic | 'lockstep';
  /** Also flags that few need, every exit code, and whole explanations. */
  readonly all: boolean;
}

/**
 * Checks words and flags; the values of flags are parsed together with the other settings.
 * @throws MigratorError CONFIG_INVALID for unknown commands, flags and words, all reported together.
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const information = readInformation(argv);
  if (information) return information;
  const { command, name, flags, asks, problems } = readWords(argv);
  if (command === undefined || problems.length > 0) throw invalid(problems, command);
  if (asks !== undefined)
    return asks === 'version' ? { version: VERSION } : { help: command, all: asks === 'all help' };
  return name === undefined ? { command, flags } : { command, name, flags };
}

function invalid(problems: readonly string[], topic?: Topic): MigratorError {
  const hint = `run: lockstep ${topic === undefined ? '' : `${topic} `}--help`;
  return new MigratorError('CONFIG_INVALID', 'the command line is wrong', { problems, hint });
}

/** The command lines that only ask for something to be printed. */
function readInformation([first = '', ...words]: readonly string[]): Exclude<Arguments, RawOptions> | undefined {
  const asks = first === 'help' ? 'help' : first === 'version' ? 'version' : asked(first);
  if (asks === 'version') return { version: VERSION };
  const all = [first, ...words].includes('--help-all');
  if (asks !== undefined) {
    const topic = first === 'help' ? words.find((word) => asked(word) === undefined) : undefined;
    if (topic !== undefined && !isTopic(topic)) throw invalid([commandProblem(topic)]);
    return { help: topic ?? 'lockstep', all };
  }
  if (first !== 'completion') return undefined;
  if (words.some((word) => asked(word) !== undefined)) return { help: first, all };
  if (words.length > 1) throw invalid([`"completion" takes one word, not ${words.length}`], first);
  return { completion: words[0] };
}

export interface Words {
  /** Undefined when the first word is not a command. */
  readonly command: CommandName | undefined;
  /** NAME of `create NAME`, or `status` of `fleet status`. */
  readonly name: string | undefined;
  /** Of a flag that is given twice, the first value. */
  readonly flags: RawOptions['flags'];
  readonly asks: 'help' | 'all help' | 'version' | undefined;
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
  const [name, ...extra] = first === 'create' || first === 'fleet' ? others : [undefined, ...others];
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
  for (const [key, values] of given) {
    const { value, problem } = onlyValue(key, values);
    read.flags[key] = value;
    if (problem !== undefined) read.problems.push(problem);
  }
  return read;
}

function onlyValue(
  key: OptionKey,
  [first = '', ...more]: readonly (string | boolean)[],
): { readonly value: string | boolean; readonly problem?: string } {
  if (more.length === 0) return { value: first };
  if (optionEntry(key).repeatable) return { value: [first, ...more].join(',') };
  const differ = more.some((value) => typeof first === 'boolean' && value !== first);
  const problem = differ
    ? `give only one of ${flagsOf(key).join(', ')}`
    : `${flagOf(key)} is given ${more.length + 1} times`;
  return { value: first, problem };
}

function asked(word: string): Words['asks'] {
  if (word === '--version' || word === '-V') return 'version';
  if (word === '--help-all') return 'all help';
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
  const isNegated = name === negatedFlagOf(key);
  if (text === undefined) return { value: !isNegated };
  const value = isNegated ? undefined : parseBoolean(text);
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
  const guess = /\w/.test(name) ? nearest(name, [...own, '--help', '--help-all', '--version']) : undefined;
  return { problem: `unknown flag ${shown(name)}${guess === undefined ? '' : `; did you mean ${guess}?`}`, takesNext };
}

function extraWord(word: string, command: CommandName): string {
  const guess = keyOf(`--${word.toLowerCase()}`, command);
  const isOwn = word === 'help' || (guess !== undefined && belongsTo(guess, command));
  return `"${command}" takes no word ${shown(word)}${isOwn ? `; did you mean --${word.toLowerCase()}?` : ''}`;
}

function commandProblem(word: string | undefined): string {
  if (word === undefined) return `no command; give one of ${COMMAND_NAMES.join(', ')}`;
  if (word.startsWith('-') && !isNegativeNumber(word))
    return `the command comes first, then its flags; ${shown(splitAtEquals(word)[0])} is not a command`;
  if (Object.hasOwn(FOREIGN_WORDS, word)) return `unknown command ${shown(word)}; in Lockstep: ${FOREIGN_WORDS[word]}`;
  const guess = nearest(word, TOPICS);
  return `unknown command ${shown(word)}; ${guess === undefined ? `known are ${TOPICS.join(', ')}` : `did you mean "${guess}"?`}`;
}
