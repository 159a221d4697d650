/** Reads the command line: command and flag names, and the help. */
import yargs, { type Argv } from 'yargs';

import { COMMANDS, COMMAND_NAMES, helpEpilogue } from './commands.ts';
import { MigratorError } from '../core/errors.ts';
import type { CommandName } from '../core/runner.ts';
import { shown } from '../config/option-values.ts';
import {
  belongsTo,
  flagOf,
  flagsOf,
  negatedFlagOf,
  OPTION_KEYS,
  optionEntry,
  type OptionKey,
  type RawOptions,
} from '../config/options.ts';
import { VERSION } from '../core/version.ts';
import { checkWords } from './words.ts';

export type Arguments = RawOptions | { readonly help: string } | { readonly version: string };

/**
 * What the command line says; values are not looked at.
 * @throws MigratorError CONFIG_INVALID for unknown commands, flags and words, all at once.
 */
export function parseArguments(argv: readonly string[], terminalWidth = 80): Arguments {
  const [first] = argv;
  if (first === '--version') return { version: VERSION };
  if (first === '--help' || first === '-h') return { help: runParser(['--help'], terminalWidth).output };
  const checked = checkWords(argv);
  if ('problem' in checked) throw invalid([checked.problem], 'lockstep --help');
  const { command, words, problems } = checked;
  const hint = `lockstep ${command} --help`;
  if (problems.length > 0) throw invalid(problems, hint);
  if (words.includes('--version')) return { version: VERSION };
  const { parsed, output } = runParser([command, ...words], terminalWidth);
  if (parsed['help'] === true) return { help: output };
  return toRawOptions(command, parsed, hint);
}

function invalid(problems: readonly string[], help: string): MigratorError {
  return new MigratorError('CONFIG_INVALID', 'the command line is wrong', { problems, hint: `run: ${help}` });
}

type Parsed = Readonly<Record<string, unknown>>;

function toRawOptions(command: CommandName, parsed: Parsed, hint: string): RawOptions {
  const flags: Partial<Record<OptionKey, string | boolean>> = {};
  const problems = extraWords(command, parsed);
  for (const key of OPTION_KEYS.filter((candidate) => belongsTo(candidate, command))) {
    const value = parsed[nameOf(flagOf(key))];
    const negated = parsed[nameOf(negatedFlagOf(key))];
    if (Array.isArray(value)) problems.push(`${flagOf(key)} is given ${value.length} times`);
    else if (value !== undefined && negated !== undefined) problems.push(`give only one of ${flagsOf(key).join(', ')}`);
    else if (typeof value === 'string' || typeof value === 'boolean') flags[key] = value;
    else if (typeof negated === 'boolean') flags[key] = !negated;
  }
  if (problems.length > 0) throw invalid(problems, hint);
  return typeof parsed['name'] === 'string' ? { command, name: parsed['name'], flags } : { command, flags };
}

function extraWords(command: CommandName, parsed: Parsed): string[] {
  const [, ...extra] = (parsed['_'] ?? []) as string[];
  const flags = OPTION_KEYS.filter((key) => belongsTo(key, command)).map(flagOf);
  return extra.map((word) => {
    const guess = flags.find((flag) => flag === `--${word.toLowerCase()}`);
    return `"${command}" takes no word ${shown(word)}${guess === undefined ? '' : `; did you mean ${guess}?`}`;
  });
}

/** The words as they are: no other spellings, no numbers, no nested objects. */
const PARSER = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'short-option-groups': false,
  'duplicate-arguments-array': true,
};

function runParser(words: readonly string[], terminalWidth: number): { parsed: Parsed; output: string } {
  const parser = yargs([])
    .parserConfiguration(PARSER)
    .locale('en')
    .exitProcess(false)
    .fail(false)
    .strictOptions()
    .scriptName('lockstep')
    .usage(
      'Applies PostgreSQL migrations: every replica may run it, exactly one does,\nthe rest wait their turn and skip what is done.\n\nUsage: $0 <command> [flags]',
    )
    .help('help', 'Show help')
    .alias('help', 'h')
    .version(false)
    .option('version', { type: 'boolean', description: 'Show the version' })
    .wrap(terminalWidth)
    .example('$0 up', 'Apply everything that is pending')
    .example('$0 status', 'Show what is applied and what is pending')
    .example('$0 down --steps 1', 'Roll back the newest applied version')
    .epilogue(helpEpilogue());
  for (const command of COMMAND_NAMES) addCommand(parser, command);
  let output = '';
  const parsed = parser.parse([...words], {}, (_error, _parsed, text) => {
    output = text;
  }) as Parsed;
  // Our own types stand in the descriptions.
  return { parsed, output: output.replaceAll(/\s*\[(?:string|boolean)\]$/gm, '') };
}

function addCommand(parser: Argv, command: CommandName): void {
  const { summary, examples } = COMMANDS[command];
  parser.command(command === 'create' ? 'create [name]' : command, summary, (options) => {
    options.usage(`$0 ${command === 'create' ? 'create NAME' : command} [flags]\n\n${summary}`).epilogue('');
    if (command === 'create') options.positional('name', { type: 'string', description: 'Letters, digits, _ and -' });
    for (const [line, meaning] of examples) options.example(`$0 ${line}`, meaning);
    for (const key of OPTION_KEYS) if (belongsTo(key, command)) addOption(options, key);
  });
}

function addOption(options: Argv, key: OptionKey): void {
  const { type, group, default: text } = optionEntry(key);
  const boolean = type === 'boolean';
  for (const flag of flagsOf(key)) {
    options.option(nameOf(flag), {
      type: boolean ? 'boolean' : 'string',
      group: `${group}:`,
      description: describeOption(key),
      // Of a boolean's two spellings only the one that changes something is shown.
      hidden: boolean && (flag === negatedFlagOf(key)) !== (text === 'true'),
    });
  }
}

/** For example `How long to wait. [duration, default: 10m]`. */
function describeOption(key: OptionKey): string {
  const { type, help, choices, default: text, defaultHelp } = optionEntry(key);
  const standard = defaultHelp ?? text;
  if (type === 'boolean' || (type === 'text' && standard === undefined)) return help;
  return `${help} [${choices?.join('|') ?? type}${standard === undefined ? '' : `, default: ${standard}`}]`;
}

/** `--lock-wait` → `lock-wait`, as the parser calls it. */
function nameOf(flag: string): string {
  return flag.slice(2);
}
