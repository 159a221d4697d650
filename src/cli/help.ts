/** What does `--help` print? yargs lays it out. */
import yargs, { type Argv } from 'yargs';

import type { HelpRequest } from './arguments.ts';
import { COMMANDS, helpEpilogue, isCommand, synopsisOf, TOPICS, type Topic } from './commands.ts';
import {
  belongsTo,
  envOf,
  flagOf,
  negatedFlagOf,
  OPTION_KEYS,
  optionEntry,
  type OptionKey,
} from '../config/options.ts';

export async function helpText({ help: topic, all }: HelpRequest, terminalWidth = 80): Promise<string> {
  const parser = yargs([])
    .locale('en')
    .exitProcess(false)
    .scriptName('lockstep')
    .help('help')
    .version(false)
    .hide('help')
    .wrap(terminalWidth)
    .usage(
      'Applies PostgreSQL migrations: every replica may run it, exactly one does,\nthe rest wait their turn and skip what is done.\n\nUsage: $0 <command> [flags]',
    )
    .example('$0 up', 'Apply everything that is pending')
    .example('$0 status', 'Show what is applied and what is pending')
    .example('$0 down --steps 1', 'Roll back the newest applied version')
    .epilogue(helpEpilogue(all));
  for (const one of TOPICS) addTopic(parser, one, all);
  let text = '';
  await parser.parse(topic === 'lockstep' ? ['--help'] : [topic, '--help'], {}, (_error, _parsed, output) => {
    text = output;
  });
  return text;
}

function addTopic(parser: Argv, topic: Topic, all: boolean): void {
  const { summary, details, examples } = COMMANDS[topic];
  parser.command(synopsisOf(topic), summary, (options) => {
    const text = details === undefined ? summary : `${summary}: ${details}`;
    const keys = isCommand(topic) ? OPTION_KEYS.filter((key) => belongsTo(key, topic)) : [];
    const shown = keys.filter((key) => all || optionEntry(key).rare === undefined);
    options.usage(`Usage: $0 ${synopsisOf(topic)}${keys.length > 0 ? ' [flags]' : ''}\n\n${text}`);
    for (const [line, meaning] of examples.slice(0, all ? undefined : 2)) options.example(`$0 ${line}`, meaning);
    for (const key of shown) addOption(options, key, all);
    options.epilogue(
      keys.length === shown.length ? '' : `More flags, and all that they do: lockstep ${topic} --help-all`,
    );
  });
}

/** yargs reads none of these words: the name holds the value, and the type stands in the description. */
function addOption(options: Argv, key: OptionKey, all: boolean): void {
  const { type, group, short, default: text } = optionEntry(key);
  // Of a boolean's two spellings, only the one that changes something is shown.
  const flag = type === 'boolean' && text === 'true' ? negatedFlagOf(key) : flagOf(key);
  options.option(`${flag.slice(2)}${type === 'boolean' ? '' : ` ${valueName(key)}`}`, {
    group: `${group}:`,
    description: describeOption(key, all),
    ...(short !== undefined && { alias: short }),
  });
}

function valueName(key: OptionKey): string {
  const { type, value, choices } = optionEntry(key);
  if (value !== undefined) return value;
  if (choices !== undefined) return choices.join('|');
  return VALUE_NAMES[type] ?? type.toUpperCase().replace(' ', '_');
}

const VALUE_NAMES: Readonly<Record<string, string>> = {
  integer: 'N',
  versions: 'VERSION,…',
  renames: 'OLD=NEW,…',
  memory: 'SIZE',
};

/** For example `How long to wait. [LOCKSTEP_LOCK_WAIT, default: 10m]`. */
function describeOption(key: OptionKey, all: boolean): string {
  const { help, choices, value, default: text, defaultHelp, standardEnv } = optionEntry(key);
  const standard = defaultHelp ?? (text === 'true' ? undefined : text);
  const more = [
    ...(choices !== undefined && value !== undefined ? [choices.join(', ')] : []),
    standardEnv === undefined ? envOf(key) : `${envOf(key)} or ${standardEnv}`,
    ...(standard === undefined ? [] : [`default: ${standard}`]),
  ];
  return `${all ? help : brief(help)} [${more.join('; ')}]`;
}

/** What stands before the first `;` or `:`, or the first sentence. */
function brief(help: string): string {
  return /^.*?(?=[;:.] |\.$|$)/.exec(help)?.[0] ?? help;
}
