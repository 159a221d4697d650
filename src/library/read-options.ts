/** What a caller wants, or every problem of the options at once; before any connection is made. */
import { MigratorError } from '../core/errors.ts';
import { parseTableName, type TableName } from '../core/table-name.ts';
import { optionProblems, type Shape } from './option-problems.ts';
import {
  DEFAULTS,
  type Files,
  type RunMigrationsOptions,
  type StatusOptions,
  type ValidateOptions,
} from './options.ts';

type KeyOf<T> = T extends unknown ? keyof T : never;
type Shapes<T> = Readonly<Record<KeyOf<T>, Shape>>;

const FILE_SHAPES = { dir: 'text', files: 'texts', allowEmpty: 'boolean' } as const;

const VALIDATE_SHAPES: Shapes<ValidateOptions> = { ...FILE_SHAPES, strict: 'boolean' };

const STATUS_SHAPES: Shapes<StatusOptions> = {
  ...FILE_SHAPES,
  ...{ pool: 'object', connection: 'object', connectionString: 'text' },
  ...{ table: 'text', lockKey: 'key', role: 'text', allowPooler: 'boolean', connectWaitMs: 'milliseconds' },
  ...{ runnerName: 'text', release: 'text', image: 'text', signal: 'object', reporter: 'object' },
};

const RUN_SHAPES: Shapes<RunMigrationsOptions> = {
  ...STATUS_SHAPES,
  ...{ direction: ['up', 'down'], to: 'text', reapply: 'texts' },
  ...{ steps: 'number', toFiles: 'boolean', all: 'boolean', confirm: 'text', from: ['files', 'stored'] },
  ...{ trustStored: 'boolean', hold: 'boolean', reason: 'text', hooks: 'object', strict: 'boolean', dryRun: 'boolean' },
  ...{ lockWaitMs: 'milliseconds', lockTimeoutMs: 'milliseconds', statementTimeoutMs: 'milliseconds' },
  ...{ hookTimeoutMs: 'milliseconds', cancelBlockedWaiters: 'boolean' },
};

/** Of the other direction, where they would be ignored. */
const FOREIGN = {
  up: ['steps', 'toFiles', 'all', 'confirm', 'from', 'trustStored', 'hold', 'reason'],
  down: ['reapply'],
} as const;

export interface Identity {
  readonly table: TableName;
  readonly lockKey: bigint | undefined;
}

/** @throws MigratorError CONFIG_INVALID with every problem. */
export function checkValidateOptions(options: ValidateOptions): void {
  requireObject('validate', options);
  const problems = [...optionProblems(options, { shapes: VALIDATE_SHAPES, foreign: [] }), ...filesProblems(options)];
  if (problems.length > 0) throw wrongOptions('validate', problems);
}

/** @throws MigratorError CONFIG_INVALID with every problem. */
export function readStatusOptions(name: string, options: StatusOptions): Identity {
  requireObject(name, options);
  return readIdentity(name, options, optionProblems(options, { shapes: STATUS_SHAPES, foreign: [] }));
}

/** @throws MigratorError CONFIG_INVALID with every problem. */
export function readRunOptions(options: RunMigrationsOptions): Identity {
  requireObject('runMigrations', options);
  const foreign = options.direction === 'down' ? FOREIGN.down : FOREIGN.up;
  return readIdentity('runMigrations', options, [
    ...optionProblems(options, { shapes: RUN_SHAPES, foreign }),
    ...((options.direction as unknown) === undefined ? ['direction is needed: "up" or "down"'] : []),
  ]);
}

/** A caller without types may pass anything. */
function requireObject(name: string, options: unknown): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new MigratorError('CONFIG_INVALID', `${name} takes one object with options, and was given something else`);
}

function readIdentity(name: string, options: StatusOptions, found: readonly string[]): Identity {
  const places = [options.pool, options.connection, options.connectionString].filter((place) => place !== undefined);
  // A caller without types may pass anything.
  const table = parseTableName(typeof options.table === 'string' ? options.table : DEFAULTS.table);
  const lockKey = readLockKey(options.lockKey);
  const problems = [
    ...found,
    ...(places.length === 1 ? [] : ['give exactly one of pool, connection, connectionString']),
    ...filesProblems(options),
    ...(typeof table === 'string' ? [table] : []),
    ...(typeof lockKey === 'string' ? [lockKey] : []),
  ];
  if (problems.length > 0 || typeof table === 'string' || typeof lockKey === 'string')
    throw wrongOptions(name, problems);
  return { table, lockKey };
}

function filesProblems({ dir, files }: Files): string[] {
  return (dir === undefined) === (files === undefined) ? ['give exactly one of dir, files'] : [];
}

function wrongOptions(name: string, problems: readonly string[]): MigratorError {
  return new MigratorError(
    'CONFIG_INVALID',
    problems.length === 1 ? `${name}: an option is wrong` : `${name}: ${problems.length} options are wrong`,
    { problems },
  );
}

function readLockKey(key: bigint | number | string | undefined): bigint | undefined | string {
  if (key === undefined) return undefined;
  // Such a number has been rounded already, to a lock of somebody else maybe.
  if (typeof key === 'number' && Number.isInteger(key) && !Number.isSafeInteger(key)) {
    return `lockKey ${key} is beyond the numbers that JavaScript has exactly; give a bigint (123n) or a string`;
  }
  if (typeof key === 'string' && !/^-?(?:\d+|0x[\da-f]+)$/i.test(key))
    return `lockKey ${JSON.stringify(key)} is not a whole number`;
  try {
    const value = BigInt(key);
    return BigInt.asIntN(64, value) === value ? value : `lockKey ${key} does not fit into 64 bits`;
  } catch {
    return `lockKey ${JSON.stringify(String(key))} is not a whole number`;
  }
}
