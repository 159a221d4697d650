/** What does the table say about one setting, and which commands share settings? */
import type { CommandName } from '../../core/runner.ts';

/** How the text of a setting is read; src/config/option-values.ts has the parser of each. */
export type OptionType =
  | 'text'
  | 'url'
  /** A path; without one the usual place. */
  | 'place'
  | 'boolean'
  | 'duration'
  | 'integer'
  | 'choice'
  | 'version'
  | 'versions'
  | 'patterns'
  | 'renames'
  | 'table'
  | 'lock key'
  | 'words'
  | 'target'
  | 'targets'
  | 'memory'
  | 'age';

type OptionGroup = 'What to do' | 'Database' | 'Files' | 'Limits' | 'Output' | 'Who runs it' | 'Kubernetes';

export interface OptionEntry {
  readonly type: OptionType;
  readonly group: OptionGroup;
  readonly commands: readonly CommandName[];
  /** Where it is not the key's: two commands may have a flag in common that means something else for each. */
  readonly flag?: `--${string}`;
  /** One letter that stands for the flag. */
  readonly short?: string;
  /** What the help calls the value, where that is not its type. */
  readonly value?: string;
  /** May be given several times: the values are joined with commas. */
  readonly repeatable?: true;
  /** Left out of the help that is not asked for with --help-all. */
  readonly rare?: true;
  /** One or two sentences, without the default; for a boolean that is true by default, about its `--no-` flag. */
  readonly help: string;
  /** In the same spelling as a user would give it. A boolean without one is false. */
  readonly default?: string;
  /** Said in the help where the default depends on where Lockstep runs. */
  readonly defaultHelp?: string;
  /** Read when neither the flag nor the LOCKSTEP_* variable is set. */
  readonly standardEnv?: string;
  readonly choices?: readonly string[];
  /** Smallest value: milliseconds for a duration. */
  readonly min?: number;
}

export const ONE_DATABASE = [
  'up',
  'down',
  'wait',
  'status',
  'history',
  'baseline',
  'import',
  'repair',
  'drift',
  'lock',
] as const;
export const DATABASE = [...ONE_DATABASE, 'fleet'] as const;
export const FILES = [
  'up',
  'down',
  'wait',
  'status',
  'fleet',
  'baseline',
  'import',
  'repair',
  'drift',
  'prove',
  'validate',
] as const;
export const CHANGING = ['up', 'down', 'baseline', 'import', 'repair'] as const;
export const RUNNING = ['up', 'down'] as const;
export const TELLING = [...RUNNING, 'drift'] as const;
export const ALL = [...DATABASE, 'prove', 'validate', 'create'] as const;
