/** Runs `up`, `down`, `wait` and `status` with `--schemas`: from Config to Answer. */
import { createFileSource } from '../adapters/files/source.ts';
import { PostgresTenants } from '../adapters/postgres/tenants/tenant-database.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { DownConfig, StatusConfig, TenantsConfig, UpConfig, WaitConfig } from '../config/config.ts';
import { MigratorError } from '../core/errors.ts';
import { AS_STATUS, fleetError } from '../core/fleet.ts';
import { readTenants, type LookOptions } from '../engine/tenants/look-at-tenants.ts';
import { migrateTenants } from '../engine/tenants/migrate-tenants.ts';
import type { TenantsPorts } from '../engine/tenants/one-tenant.ts';
import { waitForTenants } from '../engine/tenants/wait-for-tenants.ts';
import { formatFleet } from '../output/fleet.ts';
import { printToo } from '../output/lines-on-stdout.ts';
import { describeToo } from '../output/log/describe-event.ts';
import { TENANT_DESCRIPTIONS } from '../output/log/describe-tenant-event.ts';
import { TENANT_LINES } from '../output/tenant-lines.ts';
import { formatTenantsDryRun, schemasDocument, tenantsDocument } from '../output/tenants.ts';
import { filesOf, migrateOptions } from './migrate-command.ts';
import type { Answer, ProcessContext } from './process-context.ts';
import { openParts, type DatabaseConfig, type DatabasePorts, type Wiring } from './wiring.ts';

type TenantPorts = Omit<DatabasePorts, 'database' | 'hooks'> & Pick<TenantsPorts, 'database' | 'hooksOf'>;

export async function tenantsAnswer(
  config: UpConfig | DownConfig | WaitConfig | StatusConfig,
  tenants: TenantsConfig,
  context: ProcessContext,
  wiring: Wiring,
): Promise<Answer> {
  describeToo(TENANT_DESCRIPTIONS);
  printToo(TENANT_LINES);
  const ports = openPorts(config, context, wiring);
  if (config.command === 'up' || config.command === 'down') return await runAnswer(config, tenants, context, ports);
  const { connectWaitMs } = config.connection;
  const options = { ...tenants, runner: ports.runner, connectWaitMs, signal: context.signal };
  return config.command === 'wait'
    ? await waitAnswer(config, options, ports)
    : await statusAnswer(config, options, ports, context);
}

function openPorts(config: DatabaseConfig, context: ProcessContext, wiring: Wiring): TenantPorts {
  const { options, hookTarget, hooksAt, ...ports } = openParts(config, context, wiring);
  return {
    ...ports,
    database: new PostgresTenants(options),
    hooksOf: (searchPath) =>
      hooksAt(() => {
        const target = hookTarget();
        return { ...target, serverSettings: { ...target.serverSettings, search_path: searchPath } };
      }),
  };
}

async function runAnswer(
  config: UpConfig | DownConfig,
  tenants: TenantsConfig,
  context: ProcessContext,
  ports: TenantPorts,
): Promise<Answer> {
  if (config.command === 'down' && !config.target)
    throw new MigratorError('ROLLBACK_REFUSED', 'down needs a target', {
      hint: 'give --to VERSION (it stays, as the newest), --steps N, --to-files, or --all --confirm DATABASE',
    });
  const report = await migrateTenants(
    { ...tenants, migrate: migrateOptions(config, context, ports.runner) },
    { ...ports, source: createFileSource(filesOf(config)), parser: createSqlParser() },
  );
  return {
    document: tenantsDocument(report),
    text: report.dryRun ? formatTenantsDryRun(report) : undefined,
    error: report.error,
  };
}

async function statusAnswer(
  config: StatusConfig,
  options: LookOptions,
  ports: TenantPorts,
  context: ProcessContext,
): Promise<Answer> {
  const reports = await readTenants(options, { ...ports, source: createFileSource(config.files) });
  const error = config.exitCode ? fleetError(reports, AS_STATUS) : undefined;
  return {
    document: schemasDocument('status', reports, error),
    text: formatFleet(reports, context.screen?.columns(), 'schema'),
    error,
  };
}

async function waitAnswer(config: WaitConfig, options: LookOptions, ports: TenantPorts): Promise<Answer> {
  const reports = await waitForTenants(
    { ...options, timeoutMs: config.timeoutMs, failOnFailure: config.failOnFailure },
    { ...ports, source: createFileSource(config.files) },
  );
  return { document: schemasDocument('wait', reports), text: 'Nothing is pending.' };
}
