/** What became of each schema of a run over many, and which of their problems decides the exit code? */
import { ERRORS, MigratorError } from '../errors.ts';
import { gravest } from '../fleet.ts';
import type { Direction } from '../migration.ts';
import type { Outcome } from '../outcome.ts';

/** `gone`: dropped after the run had begun. */
type TenantState = 'done' | 'up to date' | 'failed' | 'not run' | 'gone';

export interface TenantResult {
  readonly schema: string;
  readonly state: TenantState;
  /** What was done, also where it failed in the end. */
  readonly outcome?: Outcome | undefined;
  readonly error?: MigratorError;
}

export interface TenantCounts {
  readonly total: number;
  readonly done: number;
  readonly upToDate: number;
  readonly failed: number;
  readonly notRun: number;
  readonly gone: number;
}

export interface TenantsReport {
  readonly direction: Direction;
  readonly dryRun: boolean;
  /** In the order of their names. */
  readonly results: readonly TenantResult[];
  readonly durationMs: number;
  /** Why the command fails. */
  readonly error?: MigratorError | undefined;
}

export function countTenants(results: readonly TenantResult[]): TenantCounts {
  const count = (state: TenantState): number => results.filter((one) => one.state === state).length;
  return {
    total: results.length,
    done: count('done'),
    upToDate: count('up to date'),
    failed: count('failed'),
    notRun: count('not run'),
    gone: count('gone'),
  };
}

/** How many schemas an error names; the answer has all. */
export const NAMED = 10;

/** Undefined where all is well. `stopped`: what ended the run before all were done. */
export function tenantsError(results: readonly TenantResult[], stopped?: MigratorError): MigratorError | undefined {
  const failed = results.flatMap(({ schema, error }) => (error ? [{ schema, error }] : []));
  const code = gravest([...failed.map(({ error }) => error.code), ...(stopped ? [stopped.code] : [])]);
  if (code === undefined) return undefined;
  // Those first that decide the exit code.
  const first = failed.toSorted((a, b) => Number(b.error.code === code) - Number(a.error.code === code));
  const problems = [
    ...(stopped ? [`${stopped.code} (exit ${stopped.exit}): ${stopped.summary}`] : []),
    ...first.slice(0, NAMED).map(({ schema, error }) => `${schema}: ${describeFailure(error)}`),
    ...(failed.length > NAMED ? [`and ${failed.length - NAMED} more`] : []),
  ];
  const { notRun } = countTenants(results);
  const left = notRun === 0 ? '' : `, and ${notRun} were not tried`;
  return new MigratorError(code, `${failed.length} of ${results.length} schemas failed${left}`, {
    problems,
    ...(stopped?.details.signal && { signal: stopped.details.signal }),
    hint: 'correct the causes, then run again: it works on what is pending',
  });
}

/** Code, exit, SQLSTATE, and the server's first line where no row can be in it. */
export function describeFailure(error: MigratorError): string {
  const { version, server } = error.details;
  const at = version === undefined ? '' : ` at ${version}`;
  const state = server === undefined ? `: ${error.summary}` : `, SQLSTATE ${server.sqlstate}`;
  return `${error.code} (exit ${ERRORS[error.code].exit})${at}${state}`;
}
