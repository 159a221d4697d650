/** `import`: records as applied what another tool applied, and renames its table if that has the name of ours. */
import { MigratorError } from '../../core/errors.ts';
import type { JournalEvent } from '../../core/history.ts';
import type { ImportTool } from '../../core/import/foreign-history.ts';
import { placesOf, planImport, type ImportPlan } from '../../core/import/plan-import.ts';
import { TOOLS } from '../../core/import/tools.ts';
import type { Migration } from '../../core/migration.ts';
import type { MigrationSource, Session } from '../../core/ports.ts';
import type { TableName } from '../../core/table-name.ts';
import { connect, type ConnectPorts } from '../session/connect.ts';
import { withLock } from '../session/with-lock.ts';
import { spareInPart } from '../migrate/in-part.ts';
import type { InspectOptions } from './inspect.ts';
import { interruptedBy } from '../session/interrupting.ts';

export interface ImportOptions extends InspectOptions {
  readonly tool: ImportTool;
  /** The tool's table, if it is not in its default place. */
  readonly from: TableName | undefined;
  /** The history table. */
  readonly table: TableName;
  readonly dryRun: boolean;
  readonly lockWaitMs: number;
}

export interface ImportResult extends ImportPlan {
  readonly waitedMs: number;
}

export async function importHistory(
  options: ImportOptions,
  ports: ConnectPorts & { readonly source: MigrationSource },
): Promise<ImportResult> {
  const { lockWaitMs, signal } = options;
  const { migrations } = await ports.source.read();
  const { session, check } = await connect({ ...options, writes: true }, ports, signal);
  const body = async (waitedMs: number): Promise<ImportResult> => ({
    ...(await takeOver(session, migrations, options, ports)),
    waitedMs,
  });
  try {
    return await interruptedBy(signal, session, () =>
      withLock<ImportResult>({ session, check, settled: () => undefined, body, lockWaitMs, signal }, ports),
    );
  } finally {
    await session.close();
  }
}

async function takeOver(
  { history, journal, takeover }: Session,
  migrations: readonly Migration[],
  { tool, from, table, dryRun }: ImportOptions,
  { reporter }: ConnectPorts,
): Promise<ImportPlan> {
  const places = placesOf(tool, from, table);
  const foreign = await takeover.foreignTable(places);
  if (!foreign) throw noTable(tool, places);
  const { applied } = await history.read();
  const journaled = new Set(
    (await journal.read()).flatMap(({ event, version }) =>
      version !== undefined && WAS_RECORDED.has(event) ? [version] : [],
    ),
  );
  const plan = planImport({ tool, table: foreign, migrations, applied, journaled });
  spareInPart(
    await journal.inPart(),
    { recording: plan.record.map(({ migration }) => migration.version), applied },
    reporter,
  );
  for (const message of plan.warnings) reporter.report({ type: 'warning', message });
  if (!dryRun) await takeover.takeOver(foreign, plan.record);
  if (plan.skipped.length > 0)
    reporter.report({ type: 'migration.all-skipped', versions: plan.skipped, direction: 'up' });
  for (const { migration, label } of plan.record)
    reporter.report({ type: 'migration.imported', version: migration.version, as: label, dryRun });
  if (foreign.renamedTo)
    reporter.report({ type: 'table.renamed', table: foreign.name.name, to: foreign.renamedTo.name, dryRun });
  return plan;
}

const WAS_RECORDED: ReadonlySet<JournalEvent> = new Set(['applied', 'baselined', 'rolled back']);

function noTable(tool: ImportTool, places: readonly TableName[]): MigratorError {
  const { title } = TOOLS[tool];
  return new MigratorError('CONFIG_INVALID', `there is no table of ${title} here`, {
    problems: [
      `looked for ${places.map(({ schema, name }) => (schema === undefined ? name : `${schema}.${name}`)).join(', ')}`,
    ],
    hint: `name ${title}'s table with --from-table schema.name, or the tool that was used with --from`,
  });
}
