/** `status` with `--schemas`: the state of each schema. */
import type { TargetReport } from '../../core/fleet.ts';
import type { Migration } from '../../core/migration.ts';
import { statusOf } from '../../core/plan/plan.ts';
import type { TenantSession, TenantsLook } from '../../core/tenants/ports.ts';
import { selectSchemas, type Selection } from '../../core/tenants/select.ts';
import { Standings } from '../../core/tenants/standing.ts';
import { readTarget } from '../commands/fleet-status.ts';
import type { InspectOptions } from '../commands/inspect.ts';
import { connect } from '../session/connect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import type { TenantsPorts } from './one-tenant.ts';

export type LookPorts = Pick<TenantsPorts, 'database' | 'source' | 'reporter' | 'clock'>;

export interface LookOptions extends InspectOptions {
  readonly selection: Selection;
}

/** The state of each schema, in the order of their names. */
export async function readTenants(options: LookOptions, ports: LookPorts): Promise<TargetReport[]> {
  const { migrations } = await ports.source.read();
  const { session } = await connect({ ...options, writes: false }, ports, options.signal);
  try {
    return await interruptedBy(options.signal, session, async () => {
      const { schemas } = await selected(session, options);
      const look = await session.look(schemas);
      return await reportsOf(schemas, { session, look }, { ...options, migrations }, ports);
    });
  } finally {
    await session.close();
  }
}

export async function selected(
  session: TenantSession,
  { selection }: LookOptions,
): Promise<ReturnType<typeof selectSchemas>> {
  return selectSchemas((await session.check()).candidates, selection);
}

export async function reportsOf(
  schemas: readonly string[],
  { session, look }: { readonly session: TenantSession; readonly look: TenantsLook },
  options: LookOptions & { readonly migrations: readonly Migration[] },
  ports: LookPorts,
): Promise<TargetReport[]> {
  const { migrations } = options;
  const standings = new Standings(migrations, { direction: 'up', target: { kind: 'latest' }, strict: false });
  const reports: TargetReport[] = [];
  for (const schema of schemas) {
    const known = knownOf(schema, look, { standings, migrations });
    const open = (): ReturnType<Parameters<typeof readTarget>[0]['open']> => ({
      options,
      ports: { ...ports, database: session.tenant(schema, ports.reporter) },
    });
    if (look.present.has(schema)) reports.push(known ?? (await readTarget({ name: schema, open }, migrations)));
    options.signal.throwIfAborted();
  }
  return reports;
}

/** Undefined where the schema has to be looked at alone. */
function knownOf(
  schema: string,
  { looks, ...more }: TenantsLook,
  { standings, migrations }: { readonly standings: Standings; readonly migrations: readonly Migration[] },
): TargetReport | undefined {
  const look = looks.get(schema);
  const isKnown =
    look && look.holder === undefined && (!look.history.exists || !standings.isOpen(schema, { looks, ...more }));
  return isKnown ? { target: schema, seen: { rows: statusOf(migrations, look.history.applied) } } : undefined;
}
