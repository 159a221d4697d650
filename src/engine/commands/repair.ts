/** `repair`: changes history and journal as the user asks, reports each change first, and then what it leaves. */
import { MigratorError } from '../../core/errors.ts';
import { settleHint, unfinished, type VersionInPart } from '../../core/plan/in-part.ts';
import { namedVersion } from '../../core/plan/named-version.ts';
import type { MigrationSet, MigrationSource, Session } from '../../core/ports.ts';
import {
  knownVersions,
  describeRepair,
  diffOf,
  leftBy,
  planRepair,
  unknownOnly,
  versionOf,
  wrongRename,
  type RepairAction,
  type RepairFacts,
  type RepairWish,
} from '../../core/plan/repair.ts';
import type { RepairReport } from '../../core/reports.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { connect, type ConnectPorts } from '../session/connect.ts';
import { withLock } from '../session/with-lock.ts';
import type { InspectOptions } from './inspect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import { startedUnit } from '../apply/resume.ts';
import { contradiction, isSettleable } from '../apply/settle.ts';

export interface RepairOptions extends InspectOptions {
  readonly wish: RepairWish;
  readonly dryRun: boolean;
  readonly lockWaitMs: number;
}

interface RepairPorts extends ConnectPorts {
  readonly source: MigrationSource;
  readonly parser: SqlParser;
}

export async function repair(options: RepairOptions, ports: RepairPorts): Promise<RepairReport> {
  const { dryRun, lockWaitMs, signal } = options;
  const files = await ports.source.read();
  const { session, check } = await connect({ ...options, writes: true }, ports, signal);
  const body = async (): Promise<RepairReport> => {
    const { history } = session;
    if (!dryRun) await history.ensureTables();
    const facts = await readFacts(session, files);
    const only = options.wish.only && namedVersion(options.wish.only, knownVersions(facts));
    const wish = { ...options.wish, ...(only !== undefined && { only }) };
    const unknown = unknownOnly(facts, only) ?? wrongRename(facts, wish.rename);
    if (unknown) throw unknown;
    const actions = planRepair(facts, wish);
    await refuseUntrue(actions, facts, session, ports.parser);
    const steps = actions.map((action) => {
      const diff = diffOf(action);
      return { version: versionOf(action), action: describeRepair(action), ...(diff.length > 0 && { diff }) };
    });
    for (const step of steps) ports.reporter.report({ type: 'repair.planned', ...step, dryRun });
    if (!dryRun) await history.repair(actions);
    const settled = actions.map(versionOf);
    const open = facts.inPart.filter(({ version }) => !settled.includes(version) && (wish.only ?? version) === version);
    return { dryRun, steps, left: leftBy(actions, facts, wish), error: await unsettled(open, ports.parser) };
  };
  try {
    return await interruptedBy(signal, session, () =>
      withLock<RepairReport>({ session, check, settled: () => undefined, body, lockWaitMs, signal }, ports),
    );
  } finally {
    await session.close();
  }
}

async function readFacts({ history, journal }: Session, { migrations }: MigrationSet): Promise<RepairFacts> {
  const { applied } = await history.read();
  const storedDowns = await journal.storedDowns(migrations.map(({ version }) => version));
  return {
    migrations,
    applied,
    storedDowns,
    inPart: unfinished(await journal.inPart(), applied),
    heldVersions: await journal.heldVersions(),
    lost: applied.length > 0 ? [] : await journal.appliedVersions(),
  };
}

/** Refuses what the catalog contradicts. @throws MigratorError HISTORY_CONFLICT. */
async function refuseUntrue(
  actions: readonly RepairAction[],
  { inPart }: RepairFacts,
  session: Session,
  parser: SqlParser,
): Promise<void> {
  for (const action of actions) {
    const part =
      action.type === 'settle statement' && action.as === 'done'
        ? inPart.find(({ version }) => version === action.version)
        : undefined;
    const unit = part && (await startedUnit(part, parser));
    const why = unit && (await contradiction(unit, session));
    if (!part || !unit || why === undefined) continue;
    throw new MigratorError(
      'HISTORY_CONFLICT',
      `statement ${unit.index} of ${part.version} did not do its work: ${why}; nothing was changed`,
      {
        version: part.version,
        hint: `let it run again: lockstep repair --only ${part.version} --statement again; or leave it: ${part.direction === 'up' ? 'up' : 'the same down'} settles it by itself`,
      },
    );
  }
}

/** The error of a repair that leaves a statement whose result is unknown. */
async function unsettled(inPart: readonly VersionInPart[], parser: SqlParser): Promise<MigratorError | undefined> {
  for (const one of inPart) {
    if (!one.started) continue;
    const unit = await startedUnit(one, parser);
    if (unit && isSettleable(unit)) continue;
    return new MigratorError(
      'MIGRATION_INCOMPLETE',
      `${one.version} stopped in statement ${one.started.statement} of its ${one.direction} file, and it is unknown whether the statement took effect; its record is unchanged`,
      {
        version: one.version,
        hint: settleHint(one),
      },
    );
  }
  return undefined;
}
