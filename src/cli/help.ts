/** What does `--help` print? yargs lays it out. */
import yargs, { type Argv } from 'yargs';

import { COMMANDS, COMMAND_NAMES, helpEpilogue } from './commands.ts';
import type { CommandName } from '../core/runner.ts';
import { belongsTo, flagsOf, negatedFlagOf, OPTION_KEYS, optionEntry, type OptionKey } from '../config/options.ts';

/** The help of Lockstep, or of one command. */
export async function helpText(topic: CommandName | 'lockstep', terminalWidth = 80): Promise<string> {
  const parser = yargs([])
    .locale('en')
    .exitProcess(false)
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
  let help = '';
  await parser.parse(topic === 'lockstep' ? ['--help'] : [topic, '--help'], {}, (_error, _parsed, text) => {
    help = text;
  });
  // Our own types stand in the descriptions.
  return help.replaceAll(/\s*\[(?:string|boolean)\]$/gm, '');
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
