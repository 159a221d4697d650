/**
 * The words of errors and warnings as a caller of the library needs them: options instead of flags, and the reason in
 * `message`.
 */
import type { OptionKey } from '../config/options.ts';
import { describeBriefly } from '../core/brief-error.ts';
import { MigratorError, toMigratorError } from '../core/errors.ts';
import type { MigratorEvent } from '../core/events.ts';
import type { Outcome } from '../core/outcome.ts';
import type { RunMigrationsOptions } from './options.ts';

/** The option for each setting of the command line that the library has too. */
export const OPTION_OF = {
  ...{ to: 'to', steps: 'steps', toFiles: 'toFiles', all: 'all', confirm: 'confirm', from: 'from' },
  ...{ trustStored: 'trustStored', hold: 'hold', reason: 'reason', reapply: 'reapply', dryRun: 'dryRun' },
  ...{ databaseUrl: 'connectionString', role: 'role', allowPooler: 'allowPooler', connectWait: 'connectWaitMs' },
  ...{ table: 'table', lockKey: 'lockKey', dir: 'dir', allowEmpty: 'allowEmpty', strict: 'strict' },
  ...{ lockWait: 'lockWaitMs', lockTimeout: 'lockTimeoutMs', statementTimeout: 'statementTimeoutMs' },
  ...{ hookTimeout: 'hookTimeoutMs', cancelBlockedWaiters: 'cancelBlockedWaiters' },
  ...{ release: 'release', image: 'image', pod: 'runnerName' },
} as const satisfies Partial<Record<OptionKey, keyof RunMigrationsOptions>>;

/** Does the work, and rewords its error with options instead of flags. @throws MigratorError and nothing else. */
export async function inOptions<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw errorInOptions(toMigratorError(error));
  }
}

export function outcomeInOptions(outcome: Outcome): Outcome {
  return { ...outcome, warnings: outcome.warnings.map(textInOptions) };
}

export function warningInOptions(event: MigratorEvent): MigratorEvent {
  return event.type === 'warning' ? { ...event, message: textInOptions(event.message) } : event;
}

function errorInOptions(error: MigratorError): MigratorError {
  const { problems, outcome, ...details } = error.details;
  const found = new MigratorError(error.code, textInOptions(error.summary), {
    ...details,
    ...(problems && { problems: problems.map(textInOptions) }),
    ...(outcome && { outcome: outcomeInOptions(outcome) }),
    hint: hintInOptions(error),
    cause: error.cause,
  });
  // A test runner or a log shows little more of an error than this.
  found.message = describeBriefly(found, Number.MAX_SAFE_INTEGER);
  const frames = /\n {4}at .*/s.exec(error.stack ?? '')?.[0] ?? '';
  found.stack = `${found.name}: ${found.message}${frames}`;
  return found;
}

/** Of a bug, the log of the command line has the stack; here the cause has it. */
function hintInOptions({ code, hint }: MigratorError): string | undefined {
  if (code === 'INTERNAL') return 'this is a bug in Lockstep: please report it with the stack of its cause';
  return hint === undefined ? undefined : textInOptions(hint);
}

/** Commands that the library does not have stay as they are: they are to be typed. */
const COMMAND = /(\blockstep (?!up\b|down\b)[a-z]+[^"();]*)/;
const SETTING = /--(no-)?([a-z][a-z-]*)((?:=[\d.]+s| (?:files|stored))\b)?/g;

export function textInOptions(text: string): string {
  return text
    .split(COMMAND)
    .map((part, index) => (index % 2 === 1 ? part : withoutFlags(part)))
    .join('');
}

function withoutFlags(text: string): string {
  return text
    .replaceAll(/\blockstep (?:up|down) (?=--)/g, 'runMigrations with ')
    .replaceAll(/ \(LOCKSTEP_\w+\)/g, '')
    .replaceAll(/\b(?:LOCKSTEP_)?DATABASE_URL(=?)/g, (_, equals: string) => `connectionString${equals && ' '}`)
    .replaceAll(SETTING, (flag, no: string | undefined, name: string, value: string | undefined) => {
      const key = name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return isSetting(key) ? `${OPTION_OF[key]}${no === undefined ? valueOf(value) : ': false'}` : flag;
    });
}

/** `=5s` → `: 5000`, ` stored` → `: 'stored'`. */
function valueOf(value: string | undefined): string {
  if (value === undefined) return '';
  return value.startsWith('=') ? `: ${Math.round(parseFloat(value.slice(1)) * 1000)}` : `: '${value.slice(1)}'`;
}

function isSetting(key: string): key is keyof typeof OPTION_OF {
  return Object.hasOwn(OPTION_OF, key);
}
