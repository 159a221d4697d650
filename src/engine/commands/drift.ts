/** `drift`: is the database what the migrations make? It only reads. */
import type { Catalog } from '../../core/catalog/catalog.ts';
import { diffCatalogs, type Difference } from '../../core/catalog/diff.ts';
import { asStatements, sameMeaning } from '../../core/catalog/same-meaning.ts';
import { inScope, type Scope } from '../../core/catalog/scope.ts';
import { describeDifference } from '../../core/catalog/describe.ts';
import { MigratorError } from '../../core/errors.ts';
import type { MigrationSource } from '../../core/ports.ts';
import type { DriftReport } from '../../core/reports.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { connect, type ConnectPorts } from '../session/connect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import type { InspectOptions } from './inspect.ts';

export interface DriftOptions extends InspectOptions {
  readonly kept: Catalog;
  readonly scope: Scope;
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
    const differences = await compareCatalogs(inScope(kept, scope), inScope(found, scope), ports.parser);
    const applied = check.history.applied.map(({ version }) => version);
    const files = migrations.map(({ version }) => version);
    const error = driftError(differences);
    return {
      servers: { kept: kept.major, found: found.major },
      pending: files.filter((version) => !applied.includes(version)),
      unknown: applied.filter((version) => !files.includes(version)),
      differences,
      ...(error && { error }),
    };
  } finally {
    await session.close();
  }
}

/** Without differences between texts that mean the same. */
export async function compareCatalogs(expected: Catalog, found: Catalog, parser: SqlParser): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const difference of diffCatalogs(expected, found))
    if (!(await isOnlyText(difference, parser))) differences.push(difference);
  return differences;
}

async function isOnlyText({ deparsed, expected, found }: Difference, parser: SqlParser): Promise<boolean> {
  if (deparsed !== true || expected === undefined || found === undefined) return false;
  const others = asStatements(found);
  for (const [at, statement] of asStatements(expected).entries())
    if (sameMeaning(await parser.parse(statement), await parser.parse(others[at] ?? ''))) return true;
  return false;
}

function driftError(differences: readonly Difference[]): MigratorError | undefined {
  const failures = differences.filter(({ note }) => note !== true);
  if (failures.length === 0) return undefined;
  const objects = new Set(failures.map(({ object }) => object)).size;
  return new MigratorError(
    'DRIFTED',
    `${objects} ${objects === 1 ? 'object differs' : 'objects differ'} from the kept schema`,
    {
      problems: failures.map(describeDifference),
      hint: 'make a migration of the change, or undo it in the database; --ignore leaves out what others make',
    },
  );
}
