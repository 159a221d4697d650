/** What a command with `--schemas` prints at its end: the document of --json, and the text of a dry run. */
import type { MigratorError } from '../core/errors.ts';
import { fleetError, type TargetReport } from '../core/fleet.ts';
import type { Direction, Version } from '../core/migration.ts';
import type { DryRunStep, StepResult } from '../core/outcome.ts';
import { countTenants, type TenantCounts, type TenantResult, type TenantsReport } from '../core/tenants/report.ts';
import { errorBody, type ErrorBody } from './bodies.ts';
import { formatDryRun } from './dry-run.ts';
import { targetBody, type TargetBody } from './fleet.ts';

export interface TenantsDocument {
  readonly command: Direction;
  readonly exit: number;
  readonly dryRun: boolean;
  readonly counts: TenantCounts;
  readonly schemas: readonly TenantBody[];
  readonly durationMs: number;
  readonly error?: ErrorBody;
}

interface TenantBody {
  readonly schema: string;
  readonly state: TenantResult['state'];
  readonly exit: number;
  readonly done: readonly StepResult[];
  readonly notRun: readonly Version[];
  readonly pending: readonly Version[];
  readonly wouldRun?: readonly Version[];
  readonly error?: ErrorBody;
}

export function tenantsDocument({ direction, dryRun, results, durationMs, error }: TenantsReport): TenantsDocument {
  return {
    command: direction,
    exit: error?.exit ?? 0,
    dryRun,
    counts: countTenants(results),
    schemas: results.map(tenantBody),
    durationMs,
    ...(error && { error: errorBody(error) }),
  };
}

function tenantBody({ schema, state, outcome, error }: TenantResult): TenantBody {
  return {
    schema,
    state,
    exit: error?.exit ?? 0,
    done: outcome?.done ?? [],
    notRun: outcome?.notRun ?? [],
    pending: outcome?.pending ?? [],
    ...(outcome?.wouldRun && { wouldRun: outcome.wouldRun.map(({ version }) => version) }),
    ...(error && { error: errorBody(error) }),
  };
}

/** Of `status` and `wait`. */
export interface SchemasDocument {
  readonly command: 'status' | 'wait';
  readonly exit: number;
  readonly upToDate: boolean;
  readonly schemas: readonly (Omit<TargetBody, 'target'> & { readonly schema: string })[];
  readonly error?: ErrorBody;
}

export function schemasDocument(
  command: SchemasDocument['command'],
  reports: readonly TargetReport[],
  error?: MigratorError,
): SchemasDocument {
  return {
    command,
    exit: error?.exit ?? 0,
    upToDate: fleetError(reports) === undefined,
    schemas: reports.map((report) => {
      const { target: schema, ...body } = targetBody(report);
      return { schema, ...body };
    }),
    ...(error && { error: errorBody(error) }),
  };
}

/** The SQL once for all schemas in which the same would run. */
export function formatTenantsDryRun({ results }: TenantsReport): string {
  const alike = new Map<string, { readonly steps: readonly DryRunStep[]; readonly schemas: string[] }>();
  for (const { schema, outcome } of results) {
    const steps = outcome?.wouldRun ?? [];
    if (steps.length === 0) continue;
    const key = JSON.stringify(steps);
    const found = alike.get(key);
    if (found) found.schemas.push(schema);
    else alike.set(key, { steps, schemas: [schema] });
  }
  const [headline = '', nothing = ''] = formatDryRun([]).split('\n');
  if (alike.size === 0) return `${headline}\n${nothing}`;
  const texts = [...alike.values()].map(
    ({ steps, schemas }) => `In ${schemas.join(', ')}:\n${formatDryRun(steps).slice(headline.length + 1)}`,
  );
  return [headline, ...texts].join('\n');
}
