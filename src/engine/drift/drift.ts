/** `drift`: is the database what the migrations make? It only reads. */
import type { Catalog } from '../../core/catalog/catalog.ts';
import type { Difference } from '../../core/catalog/diff.ts';
import { inScope, withoutKinds, type Scope } from '../../core/catalog/scope.ts';
import { describeDifference } from '../../core/catalog/describe.ts';
import { MigratorError } from '../../core/errors.ts';
import type { MigrationSource } from '../../core/ports.ts';
import type { DriftReport } from '../../core/reports.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { connect, type ConnectOptions, type ConnectPorts } from '../session/connect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import { compareCatalogs } from './compare-catalogs.ts';

/** The kept schema, and what of it is compared. */
export interface Expected {
  readonly kept: Catalog;
  readonly scope: Scope;
}

export interface DriftOptions extends Omit<ConnectOptions, 'writes'>, Expected {
  readonly signal: AbortSignal;
}

export async function findDrift(
  options: DriftOptions,
  ports: ConnectPorts & { readonly source: MigrationSource; readonly parser: SqlParser },
): Promise<DriftReport> {
  const { kept, scope, signal } = options;
  const { migrations } = await ports.source.read();
  const { session, check } = await connect({ ...options, writes: false }, ports, signal);
  try {
    const found = await interruptedBy(signal, session, () => session.readCatalog());
    const differences = await differencesFrom({ kept, scope }, found, ports.parser);
    const applied = check.history.applied.map(({ version }) => version);
    const files = migrations.map(({ version }) => version);
    const error = driftError(differences);
    return {
      servers: { kept: kept.major, found: found.major },
      pending: files.filter((version) => !applied.includes(version)),
      unknown: applied.filter((version) => !files.includes(version)),
      unseen: found.unseen ?? [],
      differences,
      ...(error && { error }),
    };
  } finally {
    await session.close();
  }
}

/** In what the database differs from the kept schema, as far as this role may see it. */
export async function differencesFrom(
  { kept, scope }: Expected,
  found: Catalog,
  parser: SqlParser,
): Promise<readonly Difference[]> {
  const { unseen = [] } = found;
  return await compareCatalogs(withoutKinds(inScope(kept, scope), unseen), inScope(found, scope), parser);
}

/** Undefined if there are only notes. */
export function driftError(differences: readonly Difference[]): MigratorError | undefined {
  const failures = differences.filter(({ note }) => note !== true);
  if (failures.length === 0) return undefined;
  const objects = new Set(failures.map(({ object }) => object)).size;
  return new MigratorError(
    'DRIFTED',
    `${objects} ${objects === 1 ? 'object differs' : 'objects differ'} from the kept schema`,
    {
      problems: failures.map((one) => describeDifference(one)),
      hint: 'make a migration of the change, or undo it in the database; --ignore leaves out what others make',
    },
  );
}
