/** Turns flags and environment into the Config of one command, or reports every problem together. */
import { MigratorError } from '../core/errors.ts';
import { IMPORT_TOOLS } from '../core/import/foreign-history.ts';
import type { Scope } from '../core/catalog/scope.ts';
import type { DownTarget, UpTarget } from '../core/plan/target.ts';
import type { CommandName } from '../core/runner.ts';
import { commandProblems, isConvertTool } from './command-problems.ts';
import type {
  BaselineConfig,
  Config,
  ConnectionConfig,
  ConvertConfig,
  DownConfig,
  CommonConfig,
  DriftSettings,
  ProveConfig,
  FleetConfig,
  ImportConfig,
  UpConfig,
} from './config.ts';
import type { OptionValues } from './option-values.ts';
import { belongsTo, type RawOptions } from './options.ts';
import { mistypedVariables, readSettings, type Environment, type Facts } from './settings.ts';
import { reportingConfig, type ReportingConfig } from './reporting.ts';
import { addressOf, targetProblems } from './target.ts';
import { tenantsConfig, tenantsProblems } from './tenants.ts';
import { whereDefined } from './omit-undefined.ts';

/** Problems of the settings that name a target. */
const ABOUT_TARGETS = /target|completion_index/i;

/**
 * Flag > LOCKSTEP_* > standard environment > default.
 * @throws MigratorError CONFIG_INVALID with every problem, or ROLLBACK_REFUSED for `--all` without `--confirm`.
 */
export function parseConfig(raw: RawOptions, env: Environment, facts: Facts): Config {
  const { values, problems } = readSettings(raw, env, facts);
  problems.push(...commandProblems(raw, values), ...tenantsProblems(values));
  // A name that is wrong is no name that is missing.
  if (!problems.some((problem) => ABOUT_TARGETS.test(problem))) problems.push(...targetProblems(raw, values));
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
  values: OptionValues,
  { facts, problems }: { readonly facts: Facts; readonly problems: readonly string[] },
): readonly string[] {
  // Nobody knows then which address is meant.
  const isUnclear = problems.some((problem) => /database[-_]url/i.test(problem) || ABOUT_TARGETS.test(problem));
  if (isUnclear || !belongsTo('databaseUrl', command)) return [];
  return facts.addressProblems?.(addressOf(values)) ?? [];
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

function reviewConfig({ json, format, pathPrefix, since, newerThan, rule }: OptionValues) {
  const settings = whereDefined({ pathPrefix, since, newerThan, rule });
  return { json: json || format === 'json', format, ...settings };
}

function commandConfig({ command, name = '' }: RawOptions, values: OptionValues, warnings: readonly string[]): Config {
  const common = { ...reportingConfig(command, values), warnings };
  const files = { dir: values.dir, allowEmpty: values.allowEmpty, strict: values.strict };
  if (command === 'create') return { command, ...common, dir: values.dir, name, timestamp: values.timestamp };
  if (command === 'validate') return { command, ...common, files, ...reviewConfig(values) };
  if (command === 'prove') return { command, ...common, files, json: values.json, ...proveConfig(values) };
  return databaseConfig(command, values, { ...common, connection: connectionConfig(values), json: values.json, files });
}

function databaseConfig(
  command: Exclude<CommandName, 'create' | 'validate' | 'prove'>,
  values: OptionValues,
  { files, ...database }: Pick<UpConfig, keyof ReportingConfig | 'warnings' | 'connection' | 'json' | 'files'>,
): Config {
  switch (command) {
    case 'history':
      return { command, ...database };
    case 'lock':
      return { command, ...database, terminate: values.terminate };
    case 'status':
      return { command, ...database, files, exitCode: values.exitCode, ...tenantsConfig(values) };
    case 'drift':
      return { command, ...database, files, ...driftConfig(values) };
    case 'fleet':
      return { command, ...database, files, ...fleetConfig(values) };
    case 'wait':
      return {
        command,
        ...database,
        files,
        timeoutMs: values.timeout,
        failOnFailure: values.failOnFailure,
        ...tenantsConfig(values),
      };
    case 'baseline':
      return { command, ...database, files, limits: limitsConfig(values), ...baselineConfig(values) };
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
        ...(values.drift !== 'off' && { drift: { ...driftConfig(values), level: values.drift } }),
      };
    case 'down':
      return { command, ...database, files, ...runConfig(values), ...downConfig(values) };
  }
}

function connectionConfig(values: OptionValues): ConnectionConfig {
  const { passwordFile, passwordCommand, role, lockKey, connectWait, table, allowPooler } = values;
  return {
    ...whereDefined({ ...addressOf(values), passwordFile, passwordCommand, role, lockKey }),
    connectWaitMs: connectWait,
    table,
    allowPooler,
  };
}

function limitsConfig({ lockWait, lockTimeout, statementTimeout }: OptionValues): UpConfig['limits'] {
  return { lockWaitMs: lockWait, lockTimeoutMs: lockTimeout, statementTimeoutMs: statementTimeout };
}

function runConfig(
  values: OptionValues,
): Pick<UpConfig, 'limits' | 'cancelBlockedWaiters' | 'journalKeepMs' | 'dryRun' | 'verbose' | 'tenants'> {
  const { cancelBlockedWaiters, journalKeep, dryRun, verbose } = values;
  return {
    limits: limitsConfig(values),
    cancelBlockedWaiters,
    journalKeepMs: journalKeep,
    dryRun,
    verbose,
    ...tenantsConfig(values),
  };
}

function baselineConfig({ to = '' }: OptionValues): Pick<BaselineConfig, 'to'> {
  return { to };
}

function fleetConfig(values: OptionValues): Pick<FleetConfig, 'targets' | 'targetsDir' | 'parallel'> {
  const { targets, targetsDir = '', targetsParallel: parallel } = values;
  return { targets, targetsDir, parallel };
}

function importConfig({
  importFrom,
  fromTable,
  dryRun,
}: OptionValues): Pick<ImportConfig, 'tool' | 'fromTable' | 'dryRun'> {
  const tool = IMPORT_TOOLS.find((one) => one === importFrom) ?? 'golang-migrate';
  return { tool, dryRun, ...whereDefined({ fromTable }) };
}

function proveConfig(values: OptionValues): Omit<ProveConfig, keyof CommonConfig | 'command' | 'files' | 'json'> {
  const { dir, scratchUrl, scratchTemplate, scratchOwned, setup, proveFrom: from, hooks, table, connectWait } = values;
  const keptIn = (file: string | undefined): string | undefined => (file === '' ? keptSchema(dir) : file);
  return {
    ...whereDefined({ scratchUrl, setup, from, write: keptIn(values.write), check: keptIn(values.check) }),
    scratchTemplate,
    scratchOwned,
    scope: scopeOf(values),
    hooks,
    table,
    connectWaitMs: connectWait,
    limits: limitsConfig(values),
    ...hookConfig(values),
  };
}

function keptSchema(dir: string): string {
  return `${dir.replace(/\/+$/, '')}/schema.txt`;
}

function scopeOf({ ignore = [], owner, privileges }: OptionValues): Scope {
  return { ignore, owners: owner, privileges };
}

function driftConfig(values: OptionValues): DriftSettings {
  const { dir, expect = keptSchema(dir), ignoreFile } = values;
  return { expect, ...whereDefined({ ignoreFile }), scope: scopeOf(values) };
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
