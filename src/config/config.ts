/** Turns flags and environment into the Config of one command, or names every problem at once. */
import { MigratorError } from '../core/errors.ts';
import {
  CONVERT_TOOLS,
  FROM_TOOLS,
  IMPORT_TOOLS,
  type ConvertTool,
  type ImportTool,
} from '../core/import/foreign-history.ts';
import type { Version } from '../core/migration.ts';
import type { RepairWish } from '../core/plan/repair.ts';
import type { TableName } from '../core/table-name.ts';
import type { DownChoice } from '../core/plan/stored-down.ts';
import type { DownTarget, UpTarget } from '../core/plan/target.ts';
import { shown, type OptionValues } from './option-values.ts';
import { belongsTo, type RawOptions } from './options.ts';
import { mistypedVariables, readSettings, type Environment, type Facts } from './settings.ts';
import { reportingConfig, type ReportingConfig } from './reporting.ts';
import { whereDefined } from './omit-undefined.ts';

/** How to reach the database; without an address the PG* variables say it. */
export interface ConnectionConfig {
  readonly databaseUrl?: string;
  readonly databaseUrlFile?: string;
  readonly passwordFile?: string;
  readonly passwordCommand?: readonly string[];
  readonly role?: string;
  readonly connectWaitMs: number;
  readonly table: TableName;
  readonly lockKey?: bigint;
  readonly allowPooler: boolean;
}

interface FilesConfig {
  readonly dir: string;
  readonly allowEmpty: boolean;
  readonly strict: boolean;
}

/** 0 is no limit, but for `lockWaitMs`: there it is one try. */
interface LimitsConfig {
  readonly lockWaitMs: number;
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number;
}

interface CommonConfig extends ReportingConfig {
  /** To be told before the command runs. */
  readonly warnings: readonly string[];
}

interface DatabaseConfig extends CommonConfig {
  readonly connection: ConnectionConfig;
  readonly json: boolean;
}

interface ApplyingConfig extends DatabaseConfig {
  readonly files: FilesConfig;
  readonly limits: LimitsConfig;
}

interface RunningConfig extends ApplyingConfig {
  readonly cancelBlockedWaiters: boolean;
  readonly journalKeepMs: number;
  readonly dryRun: boolean;
  readonly verbose: boolean;
}

export type UpConfig = RunningConfig & {
  readonly command: 'up';
  readonly target: UpTarget;
  readonly hookTimeoutMs: number;
  readonly hookMemory?: number;
  readonly retryNow: boolean;
  readonly reapply: readonly Version[];
};
export type DownConfig = RunningConfig & {
  readonly command: 'down';
  /** Undefined when none is given, which is refused with a list of what there is. */
  readonly target: DownTarget | undefined;
  readonly choice?: DownChoice;
  readonly trustStored: boolean;
  readonly hold?: boolean;
  readonly reason?: string;
};
export type BaselineConfig = ApplyingConfig & { readonly command: 'baseline'; readonly to: Version };
export type ImportConfig = ApplyingConfig & {
  readonly command: 'import';
  readonly tool: ImportTool;
  readonly fromTable?: TableName;
  readonly dryRun: boolean;
};
/** No database is asked. */
export type ConvertConfig = CommonConfig & {
  readonly command: 'import';
  readonly convertFrom: ConvertTool;
  readonly oldDir: string;
  readonly dir: string;
  readonly dryRun: boolean;
  readonly json: boolean;
};
export type RepairConfig = ApplyingConfig & {
  readonly command: 'repair';
  readonly dryRun: boolean;
  readonly wish: RepairWish;
};
export type WaitConfig = DatabaseConfig & {
  readonly command: 'wait';
  readonly files: FilesConfig;
  readonly timeoutMs: number;
};
type StatusConfig = DatabaseConfig & {
  readonly command: 'status';
  readonly files: FilesConfig;
  readonly exitCode: boolean;
};
type HistoryConfig = DatabaseConfig & { readonly command: 'history' };
type LockConfig = DatabaseConfig & { readonly command: 'lock'; readonly terminate: boolean };
type ValidateConfig = CommonConfig & {
  readonly command: 'validate';
  readonly files: FilesConfig;
  readonly json: boolean;
};
type CreateConfig = CommonConfig & { readonly command: 'create'; readonly dir: string; readonly name: string };

export type Config =
  | UpConfig
  | DownConfig
  | BaselineConfig
  | ImportConfig
  | ConvertConfig
  | RepairConfig
  | WaitConfig
  | StatusConfig
  | HistoryConfig
  | LockConfig
  | ValidateConfig
  | CreateConfig;

/**
 * Flag > LOCKSTEP_* > standard environment > default.
 * @throws MigratorError CONFIG_INVALID with every problem, or ROLLBACK_REFUSED for `--all` without `--confirm`.
 */
export function parseConfig(raw: RawOptions, env: Environment, facts: Facts): Config {
  const { values, problems } = readSettings(raw, env, facts);
  problems.push(...commandProblems(raw, values));
  if (problems.length > 0) {
    problems.push(...addressProblems(raw, values, { facts, problems }));
    throw new MigratorError(
      'CONFIG_INVALID',
      problems.length === 1 ? 'a setting is wrong' : `${problems.length} settings are wrong`,
      {
        problems,
        hint: `run: lockstep ${raw.command} --help`,
      },
    );
  }
  const warnings = mistypedVariables(env);
  return convertConfig(raw, values, warnings) ?? commandConfig(raw, values, warnings);
}

/** Whoever corrects the settings is to see these at the same time; alone they are told when the address is read. */
function addressProblems(
  { command }: RawOptions,
  { databaseUrl, databaseUrlFile }: OptionValues,
  { facts, problems }: { readonly facts: Facts; readonly problems: readonly string[] },
): readonly string[] {
  // Nobody knows then which address is meant.
  const isUnclear = problems.some((problem) => /database[-_]url/i.test(problem));
  if (isUnclear || !belongsTo('databaseUrl', command)) return [];
  return facts.addressProblems?.({ databaseUrl, databaseUrlFile }) ?? [];
}

/** What is wrong with this command's settings together. */
function commandProblems({ command, name, flags }: RawOptions, values: OptionValues): string[] {
  if (command === 'baseline' && values.to === undefined)
    return ['--to: needed; the newest version that the database already has'];
  if (command === 'import') return importProblems(values, flags);
  if (command === 'repair') return repairProblems(values);
  if (command === 'down' && flags.confirm !== undefined && !values.all) return ['--confirm: goes only with --all'];
  if (command === 'create') {
    if (name === undefined) return ['NAME: needed, for example: lockstep create add_users'];
    if (!/^[\w-]{1,100}$/.test(name))
      return [`NAME: ${shown(name)} may hold letters, digits, _ and - only, at most 100 of them`];
  }
  return [];
}

function importProblems({ importFrom, oldDir, dir, fromTable }: OptionValues, flags: RawOptions['flags']): string[] {
  if (importFrom === undefined)
    return flags.importFrom === undefined ? [`--from: needed; one of ${FROM_TOOLS.join(', ')}`] : [];
  if (oldDir === undefined)
    return importFrom === 'graphile-migrate'
      ? ['--from: the history of graphile-migrate is not taken over; with --files OLD_DIR its files are converted']
      : [];
  return [
    ...(isConvertTool(importFrom)
      ? []
      : [`--files: the files of ${importFrom} can stay as they are; give their directory as --dir`]),
    ...(fromTable === undefined ? [] : ['--from-table: not with --files, which asks no database']),
    ...(oldDir.replace(/\/+$/, '') === dir.replace(/\/+$/, '')
      ? ['--files: is the same directory as --dir, where the new files are written']
      : []),
  ];
}

function convertConfig(
  { command }: RawOptions,
  values: OptionValues,
  warnings: readonly string[],
): ConvertConfig | undefined {
  const { importFrom: convertFrom, oldDir, dir, dryRun, json } = values;
  if (command !== 'import' || oldDir === undefined || convertFrom === undefined || !isConvertTool(convertFrom))
    return undefined;
  return { command, ...reportingConfig(command, values), warnings, convertFrom, oldDir, dir, dryRun, json };
}

function isConvertTool(tool: string): tool is ConvertTool {
  return CONVERT_TOOLS.some((one) => one === tool);
}

function repairProblems({ only, statement, rename, reset, down, history }: OptionValues): string[] {
  const asked = [
    ...(statement === undefined ? [] : ['--statement']),
    ...(reset ? ['--reset'] : []),
    ...(down === undefined ? [] : ['--down']),
    ...(rename === undefined ? [] : ['--rename']),
    ...(history === undefined ? [] : ['--history']),
  ];
  return [
    ...(reset && only === undefined
      ? ['--reset: needs --only with the version whose progress is to be forgotten']
      : []),
    ...(asked.length > 1 ? [`give only one of ${asked.join(', ')}`] : []),
  ];
}

function commandConfig({ command, name = '' }: RawOptions, values: OptionValues, warnings: readonly string[]): Config {
  const common = { ...reportingConfig(command, values), warnings };
  const files = { dir: values.dir, allowEmpty: values.allowEmpty, strict: values.strict };
  if (command === 'create') return { command, ...common, dir: values.dir, name };
  if (command === 'validate') return { command, ...common, files, json: values.json };

  const database = { ...common, connection: connectionConfig(values), json: values.json };
  switch (command) {
    case 'history':
      return { command, ...database };
    case 'lock':
      return { command, ...database, terminate: values.terminate };
    case 'status':
      return { command, ...database, files, exitCode: values.exitCode };
    case 'wait':
      return { command, ...database, files, timeoutMs: values.timeout };
    case 'baseline':
      return { command, ...database, files, limits: limitsConfig(values), to: values.to ?? '' };
    case 'import':
      return { command, ...database, files, limits: limitsConfig(values), ...importConfig(values) };
    case 'repair': {
      const { only, statement, rename, reset, down, history, dryRun } = values;
      return {
        command,
        ...database,
        files,
        limits: limitsConfig(values),
        dryRun,
        wish: { reset, ...whereDefined({ only, statement, rename, down, history }) },
      };
    }
    case 'up':
      return {
        command,
        ...database,
        files,
        ...runConfig(values),
        target: upTarget(values),
        ...hookConfig(values),
        retryNow: values.retryNow,
        reapply: values.reapply ?? [],
      };
    case 'down':
      return { command, ...database, files, ...runConfig(values), ...downConfig(values) };
  }
}

function connectionConfig(values: OptionValues): ConnectionConfig {
  const {
    databaseUrl,
    databaseUrlFile,
    passwordFile,
    passwordCommand,
    role,
    lockKey,
    connectWait,
    table,
    allowPooler,
  } = values;
  return {
    ...whereDefined({ databaseUrl, databaseUrlFile, passwordFile, passwordCommand, role, lockKey }),
    connectWaitMs: connectWait,
    table,
    allowPooler,
  };
}

function limitsConfig({ lockWait, lockTimeout, statementTimeout }: OptionValues): LimitsConfig {
  return { lockWaitMs: lockWait, lockTimeoutMs: lockTimeout, statementTimeoutMs: statementTimeout };
}

function runConfig(
  values: OptionValues,
): Pick<RunningConfig, 'limits' | 'cancelBlockedWaiters' | 'journalKeepMs' | 'dryRun' | 'verbose'> {
  const { cancelBlockedWaiters, journalKeep, dryRun, verbose } = values;
  return { limits: limitsConfig(values), cancelBlockedWaiters, journalKeepMs: journalKeep, dryRun, verbose };
}

function importConfig({
  importFrom,
  fromTable,
  dryRun,
}: OptionValues): Pick<ImportConfig, 'tool' | 'fromTable' | 'dryRun'> {
  const tool = IMPORT_TOOLS.find((one) => one === importFrom) ?? 'golang-migrate';
  return { tool, dryRun, ...whereDefined({ fromTable }) };
}

function hookConfig({ hookTimeout, hookMemory }: OptionValues): Pick<UpConfig, 'hookTimeoutMs' | 'hookMemory'> {
  return { hookTimeoutMs: hookTimeout, ...whereDefined({ hookMemory }) };
}

function upTarget({ to }: OptionValues): UpTarget {
  return to === undefined ? { kind: 'latest' } : { kind: 'version', version: to };
}

function downConfig(values: OptionValues): Pick<DownConfig, 'target' | 'choice' | 'trustStored' | 'hold' | 'reason'> {
  const { trustStored, hold, reason, from: choice } = values;
  return { target: downTarget(values), trustStored, ...whereDefined({ hold, reason, choice }) };
}

function downTarget({ to, steps, toFiles, all, confirm }: OptionValues): DownTarget | undefined {
  if (to !== undefined) return { kind: 'version', version: to };
  if (steps !== undefined) return { kind: 'steps', count: steps };
  if (toFiles) return { kind: 'files' };
  if (!all) return undefined;
  if (confirm !== undefined) return { kind: 'all', database: confirm };
  throw new MigratorError('ROLLBACK_REFUSED', '--all needs --confirm with the name of the database', {
    hint: 'give --all --confirm DATABASE, or another target: --to VERSION (it stays, as the newest), --steps N, --to-files',
  });
}
