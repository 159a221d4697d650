/** Where each setting comes from: flag > LOCKSTEP_* > standard environment > default. */
import { nearest } from '../core/text/nearest.ts';
import { parseBoolean, parseValue, type OptionValues } from './option-values.ts';
import {
  belongsTo,
  envOf,
  flagOf,
  negatedFlagOf,
  OPTION_KEYS,
  optionEntry,
  type OptionKey,
  type RawOptions,
} from './options.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What only the process knows. */
export interface Facts {
  /** The log goes to a terminal. */
  readonly terminal: boolean;
  /** What is wrong with the address that these settings and the PG* variables give together. */
  readonly addressProblems?: (settings: AddressSettings) => readonly string[];
}

export interface AddressSettings {
  readonly databaseUrl?: string | undefined;
  readonly databaseUrlFile?: string | undefined;
}

interface Setting {
  /** The flag or the variable, as messages name it. */
  readonly source: string;
  /** The lower the stronger. */
  readonly rank: number;
  readonly text: string;
}

/** Options of which the strongest source gives at most one; weaker sources of the others then don't count. */
const EXCLUSIVE: readonly (readonly OptionKey[])[] = [
  ['databaseUrl', 'databaseUrlFile', 'targetsDir'],
  ['passwordFile', 'passwordCommand'],
  ['to', 'steps', 'toFiles', 'all'],
];

const TARGETS: readonly OptionKey[] = ['target', 'targets', 'targetIndex'];

/** A variable that stands in a template as the harmless default: whatever is added beside it is meant instead. */
const YIELDING: ReadonlySet<OptionKey> = new Set(['toFiles']);

/**
 * The value of every option that belongs to the command, the default of every other one and of a wrong one, and what is
 * wrong.
 */
export function readSettings(
  raw: RawOptions,
  env: Environment,
  facts: Facts,
): { values: OptionValues; problems: string[] } {
  const values = new Map<OptionKey, unknown>();
  const problems: string[] = [];
  const settings = findSettings(raw, env);
  dropWeaker(settings, problems);
  const read = (key: OptionKey, { source, text }: Pick<Setting, 'source' | 'text'>): void => {
    const parsed = parseValue(key, text);
    if ('value' in parsed) values.set(key, parsed.value);
    else problems.push(`${source}: ${parsed.problem}`);
  };
  for (const key of OPTION_KEYS) {
    const standard = defaultText(key, env, facts);
    if (standard !== undefined) read(key, { source: flagOf(key), text: standard });
    const setting = settings.get(key);
    if (setting) read(key, setting);
  }
  return { values: Object.fromEntries(values) as OptionValues, problems };
}

function findSettings(raw: RawOptions, env: Environment): Map<OptionKey, Setting> {
  const settings = new Map<OptionKey, Setting>();
  for (const key of OPTION_KEYS) {
    const setting = belongsTo(key, raw.command) ? findSetting(key, raw, env) : undefined;
    if (setting) settings.set(key, setting);
  }
  return settings;
}

function dropWeaker(settings: Map<OptionKey, Setting>, problems: string[]): void {
  for (const keys of EXCLUSIVE) {
    const rivals = keys.filter((key) => settings.has(key) && !isOff(key, settings.get(key)));
    const best = Math.min(...rivals.map((key) => settings.get(key)?.rank ?? Infinity));
    const strongest = rivals.filter((key) => settings.get(key)?.rank === best);
    if (strongest.length > 1)
      problems.push(`give only one of ${strongest.map((key) => settings.get(key)?.source).join(', ')}`);
    const weaker = rivals.filter((key) => !strongest.includes(key));
    // An address means no target that a weaker source names.
    const targets = TARGETS.filter((key) => weaker.includes('targetsDir') && (settings.get(key)?.rank ?? 0) > best);
    for (const key of [...weaker, ...targets]) settings.delete(key);
  }
}

function isOff(key: OptionKey, setting: Setting | undefined): boolean {
  return optionEntry(key).type === 'boolean' && parseBoolean(setting?.text.trim() ?? '') === false;
}

function findSetting(key: OptionKey, raw: RawOptions, env: Environment): Setting | undefined {
  const flag = raw.flags[key];
  if (flag !== undefined)
    return { source: flag === false ? negatedFlagOf(key) : flagOf(key), rank: 0, text: String(flag) };
  for (const [index, name] of [envOf(key), optionEntry(key).standardEnv].entries()) {
    const text = name === undefined ? undefined : env[name];
    if (name !== undefined && text !== undefined && text !== '')
      return { source: name, rank: index + (YIELDING.has(key) ? 1.5 : 1), text };
  }
  return undefined;
}

function defaultText(key: OptionKey, env: Environment, facts: Facts): string | undefined {
  if (key === 'hold') return undefined;
  // People read the log of a CI job.
  if (key === 'logFormat') return facts.terminal || env['CI'] === 'true' ? 'text' : 'json';
  const { type, default: text } = optionEntry(key);
  return text ?? (type === 'boolean' ? 'false' : undefined);
}

/** Kubernetes sets these for a Service whose name begins with `lockstep`. */
const SERVICE_VARIABLE =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

/** LOCKSTEP_* variables that nobody reads but that look like a mistyped one. */
export function mistypedVariables(env: Environment): string[] {
  const known = OPTION_KEYS.map(envOf);
  return Object.keys(env)
    .filter(
      (name) =>
        name.startsWith('LOCKSTEP_') && env[name] !== '' && !known.includes(name) && !SERVICE_VARIABLE.test(name),
    )
    .sort()
    .flatMap((name) => {
      const guess = nearest(withoutPrefix(name), known.map(withoutPrefix));
      return guess === undefined ? [] : [`the variable ${name} is not read; did you mean LOCKSTEP_${guess}?`];
    });
}

/** The common prefix would make every two names look alike. */
function withoutPrefix(name: string): string {
  return name.slice('LOCKSTEP_'.length);
}
