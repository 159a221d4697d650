/** What does each command need to know? The Config of each, made from flags and environment. */
import type { Scope } from '../core/catalog/scope.ts';
import type { ConvertTool, ImportTool } from '../core/import/foreign-history.ts';
import type { Version } from '../core/migration.ts';
import type { RepairWish } from '../core/plan/repair.ts';
import type { DownChoice } from '../core/plan/stored-down.ts';
import type { DownTarget, UpTarget } from '../core/plan/target.ts';
import type { TableName } from '../core/table-name.ts';
import type { Selection } from '../core/tenants/select.ts';
import type { ReportingConfig } from './reporting.ts';

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

export interface CommonConfig extends ReportingConfig {
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

/** Many schemas of one database, each with a history of its own. */
export interface TenantsConfig {
  readonly selection: Selection;
  readonly parallel: number;
  readonly failFast: boolean;
}

interface RunningConfig extends ApplyingConfig {
  readonly tenants?: TenantsConfig;
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
  /** Absent unless it is to look for drift before it applies. */
  readonly drift?: DriftSettings & { readonly level: 'warn' | 'fail' };
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
  readonly tenants?: TenantsConfig;
  readonly files: FilesConfig;
  readonly timeoutMs: number;
  readonly failOnFailure: boolean;
};
/** The path of the kept schema, and what of it is compared. */
export interface DriftSettings {
  readonly expect: string;
  readonly ignoreFile?: string;
  readonly scope: Scope;
}
export type DriftConfig = DatabaseConfig & { readonly command: 'drift'; readonly files: FilesConfig } & DriftSettings;
export type StatusConfig = DatabaseConfig & {
  readonly command: 'status';
  readonly tenants?: TenantsConfig;
  readonly files: FilesConfig;
  readonly exitCode: boolean;
};
/** Without an address: each target has its own. */
export type FleetConfig = DatabaseConfig & {
  readonly command: 'fleet';
  readonly files: FilesConfig;
  readonly targetsDir: string;
  /** Every file in the directory, where it is undefined. */
  readonly targets: readonly string[] | undefined;
  readonly parallel: number;
};
type HistoryConfig = DatabaseConfig & { readonly command: 'history' };
type LockConfig = DatabaseConfig & { readonly command: 'lock'; readonly terminate: boolean };
export type ProveConfig = CommonConfig & {
  readonly command: 'prove';
  readonly files: FilesConfig;
  readonly json: boolean;
  readonly scratchUrl?: string;
  readonly scratchTemplate: string;
  readonly scratchOwned: boolean;
  /** The path of an SQL file. */
  readonly setup?: string;
  readonly from?: Version;
  readonly hooks: boolean;
  /** The paths of the kept schema. */
  readonly write?: string;
  readonly check?: string;
  readonly scope: Scope;
  readonly table: TableName;
  readonly connectWaitMs: number;
  readonly limits: LimitsConfig;
  readonly hookTimeoutMs: number;
  readonly hookMemory?: number;
};
type ReportFormat = 'text' | 'json' | 'github' | 'gitlab' | 'sarif';
export type ValidateConfig = CommonConfig & {
  readonly command: 'validate';
  readonly files: FilesConfig;
  readonly json: boolean;
  readonly format: ReportFormat;
  readonly pathPrefix?: string;
  readonly since?: string;
  readonly newerThan?: Version;
  readonly rule?: string;
};
type CreateConfig = CommonConfig & {
  readonly command: 'create';
  readonly dir: string;
  readonly name: string;
  readonly timestamp: boolean;
};

export type Config =
  | UpConfig
  | DownConfig
  | BaselineConfig
  | ImportConfig
  | ConvertConfig
  | RepairConfig
  | WaitConfig
  | DriftConfig
  | StatusConfig
  | FleetConfig
  | HistoryConfig
  | LockConfig
  | ProveConfig
  | ValidateConfig
  | CreateConfig;
