/** Every setting in one table: flag, variable, commands, type, default, range and help all come from here. */
import type { CommandName } from '../core/runner.ts';
import { PLACE_OPTIONS } from './options/place.ts';
import type { OptionEntry } from './options/entry.ts';
import { FLEET_OPTIONS } from './options/fleet.ts';
import { LIMIT_OPTIONS } from './options/limits.ts';
import { REPORT_OPTIONS } from './options/report.ts';
import { REVIEW_OPTIONS } from './options/review.ts';
import { TARGET_OPTIONS } from './options/target.ts';
import { TENANT_OPTIONS } from './options/tenants.ts';

/** Keys are camel case: `lockWait` is the flag `--lock-wait` and the variable `LOCKSTEP_LOCK_WAIT`. */
export const OPTIONS = {
  ...TARGET_OPTIONS,
  ...REVIEW_OPTIONS,
  ...PLACE_OPTIONS,
  ...FLEET_OPTIONS,
  ...TENANT_OPTIONS,
  ...LIMIT_OPTIONS,
  ...REPORT_OPTIONS,
};

export type OptionKey = keyof typeof OPTIONS;

export const OPTION_KEYS = Object.keys(OPTIONS) as readonly OptionKey[];

/** The entry with the fields that not every option has. */
export function optionEntry(key: OptionKey): OptionEntry {
  return OPTIONS[key];
}

const FLAGS = new Map(
  OPTION_KEYS.map((key) => [
    key,
    optionEntry(key).flag ?? `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  ]),
);

/** `lockWait` → `--lock-wait`. */
export function flagOf(key: OptionKey): string {
  return FLAGS.get(key) ?? '';
}

/** `--strict` → `--no-strict`. */
export function negatedFlagOf(key: OptionKey): string {
  return flagOf(key).replace('--', '--no-');
}

/** `lockWait` → `LOCKSTEP_LOCK_WAIT`. */
export function envOf(key: OptionKey): string {
  return `LOCKSTEP_${flagOf(key).slice(2).replaceAll('-', '_').toUpperCase()}`;
}

export function belongsTo(key: OptionKey, command: CommandName): boolean {
  return optionEntry(key).commands.includes(command);
}

/** The option that a flag, in any spelling, stands for: the command's own, else another's. */
export function keyOf(flag: string, command?: CommandName): OptionKey | undefined {
  const keys = OPTION_KEYS.filter((key) => flagsOf(key).includes(flag) || flag === `-${optionEntry(key).short}`);
  return keys.find((key) => command !== undefined && belongsTo(key, command)) ?? keys[0];
}

/** Both spellings of a boolean. */
export function flagsOf(key: OptionKey): string[] {
  return optionEntry(key).type === 'boolean' ? [flagOf(key), negatedFlagOf(key)] : [flagOf(key)];
}

/** What the command line says: words and flags are checked, the values of flags are not. */
export interface RawOptions {
  readonly command: CommandName;
  /** NAME of `create NAME`, or `status` of `fleet status`. */
  readonly name?: string;
  readonly flags: Readonly<Partial<Record<OptionKey, string | boolean>>>;
}
