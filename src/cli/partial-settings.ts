/** How are wrong settings reported? As far as the settings that can be read say it. */
import type { Environment, Facts } from '../config/settings.ts';
import { reportingDespiteErrors, type ReportingConfig } from '../config/reporting.ts';
import type { CommandName } from '../core/runner.ts';
import { readWords } from './arguments.ts';

interface PartialSettings {
  readonly command: CommandName | undefined;
  readonly json: boolean;
  readonly config: ReportingConfig;
}

export function readPartialSettings(argv: readonly string[], env: Environment, facts: Facts): PartialSettings {
  const { command, flags } = readWords(argv);
  // Without a command, the settings that every command has: those of the one that takes the fewest.
  const raw = { command: command ?? 'create', flags } as const;
  return { command, json: flags.json === true, config: reportingDespiteErrors(raw, env, facts) };
}
