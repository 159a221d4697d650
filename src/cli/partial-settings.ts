/** What wrong settings say nevertheless: enough to tell in the right places that they are wrong. */
import { flagOf, negatedFlagOf, OPTION_KEYS, optionEntry, type OptionKey, type RawOptions } from '../config/options.ts';
import type { Environment, Facts } from '../config/settings.ts';
import { reportingDespiteErrors, type ReportingConfig } from '../config/reporting.ts';
import type { CommandName } from '../core/runner.ts';
import { isCommand } from './commands.ts';

interface Known {
  readonly command: CommandName | undefined;
  readonly json: boolean;
  readonly config: ReportingConfig;
}

export function readPartialSettings(argv: readonly string[], env: Environment, facts: Facts): Known {
  const [first, ...words] = argv;
  const command = isCommand(first) ? first : undefined;
  // Without a command, the settings of the one that takes the fewest: those that all have.
  const raw = { command: command ?? 'create', flags: flagsIn(words) } as const;
  return { command, json: argv.includes('--json'), config: reportingDespiteErrors(raw, env, facts) };
}

function flagsIn(words: readonly string[]): RawOptions['flags'] {
  const flags: Partial<Record<OptionKey, string | boolean>> = {};
  for (const key of OPTION_KEYS) {
    const value = optionEntry(key).type === 'boolean' ? readBoolean(key, words) : readText(flagOf(key), words);
    if (value !== undefined) flags[key] = value;
  }
  return flags;
}

function readBoolean(key: OptionKey, words: readonly string[]): boolean | undefined {
  if (words.includes(flagOf(key))) return true;
  return words.includes(negatedFlagOf(key)) ? false : undefined;
}

function readText(flag: string, words: readonly string[]): string | undefined {
  const at = words.indexOf(flag);
  return at === -1 ? words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) : words[at + 1];
}
