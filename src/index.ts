/** The library: what the command line does, as functions that touch nothing of `process`. */
import './supported-node.ts';

export { runMigrations } from './library/run-migrations.ts';
export { pending, status, validate } from './library/inspect.ts';
export { MigratorError } from './core/errors.ts';

export type { RunMigrationsOptions, StatusOptions, ValidateOptions } from './library/options.ts';
export type { Status, Validation } from './library/inspect.ts';
export type { ErrorCode } from './core/errors.ts';
export type { MigratorEvent } from './core/events.ts';
export type { Direction, Version } from './core/migration.ts';
export type { DryRunStep, EstimatedLoss, Outcome, StepResult } from './core/outcome.ts';
export type { VersionState } from './core/plan/plan.ts';
export type { Reporter } from './core/ports.ts';
export type { Finding } from './core/rules/finding.ts';
export type { Hook, HookContext, HookPool } from './adapters/postgres/hooks/hook-context.ts';
export type { ClientLike, PoolLike } from './adapters/postgres/connection/pool-like.ts';
