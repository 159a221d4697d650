/** Decides what `repair` does to history and journal for a given request, and what it leaves as it is. */
import { MigratorError } from '../errors.ts';
import type { AppliedVersion } from '../history.ts';
import { describeHeldVersion, type HeldVersion } from './held-versions.ts';
import { describeInPart, settleHint, waysOut, type StartedStatement, type VersionInPart } from './in-part.ts';
import type { Direction, Migration, Version } from '../migration.ts';
import { versionGuess } from './named-version.ts';
import { plannedRenames, wrongRenames, type Rename } from './renames.ts';
import { downDiff, type StoredDown } from './stored-down.ts';

export type RepairAction =
  | { readonly type: 'accept checksum'; readonly migration: Migration }
  /** `kept` is the text that was stored. */
  | { readonly type: 'replace down'; readonly migration: Migration; readonly kept: string | undefined }
  | {
      readonly type: 'settle statement';
      readonly version: Version;
      readonly direction: Direction;
      readonly started: StartedStatement;
      readonly as: StatementOutcome;
    }
  | { readonly type: 'reset progress'; readonly inPart: VersionInPart }
  | { readonly type: 'settle history'; readonly version: Version; readonly from: HistorySource }
  | { readonly type: 'rename'; readonly from: Version; readonly migration: Migration }
  | { readonly type: 'release hold'; readonly hold: HeldVersion };

/** What a person has found out: the statement did its work, or must run again. */
type StatementOutcome = 'done' | 'again';

/** Which one is right after the history was lost: the journal or the empty table. */
type HistorySource = 'journal' | 'empty';

export interface RepairFacts {
  readonly migrations: readonly Migration[];
  readonly applied: readonly AppliedVersion[];
  readonly storedDowns: readonly StoredDown[];
  readonly inPart: readonly VersionInPart[];
  readonly heldVersions: readonly HeldVersion[];
  /** Versions that are applied according to the journal while the history is empty. */
  readonly lost: readonly Version[];
}

export interface RepairWish {
  /** Only this version. */
  readonly only?: Version | undefined;
  readonly statement?: StatementOutcome | undefined;
  /** These and nothing else. */
  readonly rename?: readonly Rename[] | undefined;
  /** Forgets the progress of `only`. */
  readonly reset?: boolean;
  /** Down files replace what is stored. */
  readonly down?: 'files' | undefined;
  /** What to believe about versions that only the journal knows. */
  readonly history?: HistorySource | undefined;
}

/**
 * Plans only what was requested: `statement` and `reset` exclude everything else, and a hold ends only if its version
 * is named.
 */
export function planRepair(
  facts: RepairFacts,
  { only, statement, rename, reset = false, down, history }: RepairWish,
): RepairAction[] {
  if (rename)
    return plannedRenames(rename, facts).map(({ from, migration }) => ({
      type: 'rename',
      from: from.version,
      migration,
    }));
  if (history) return facts.lost.map((version) => ({ type: 'settle history', version, from: history }));
  const isMeant = (one: { readonly version: Version }): boolean => only === undefined || one.version === only;
  const inPart = facts.inPart.filter(isMeant);
  if (reset) return inPart.map((one) => ({ type: 'reset progress', inPart: one }));
  if (statement) {
    return inPart.flatMap(({ version, direction, started }): RepairAction[] =>
      started ? [{ type: 'settle statement', version, direction, started, as: statement }] : [],
    );
  }
  const migrations = facts.migrations.filter(isMeant);
  const accepted = migrations
    .filter(isChanged(facts))
    .map((migration) => ({ type: 'accept checksum', migration }) as const);
  const replaced = down === undefined ? [] : replacements(migrations, facts);
  const heldVersions = only === undefined ? [] : facts.heldVersions.filter(isMeant);
  return [...accepted, ...replaced, ...heldVersions.map((hold) => ({ type: 'release hold', hold }) as const)];
}

function isChanged({ applied }: RepairFacts): (migration: Migration) => boolean {
  const rows = new Map(applied.map((row) => [row.version, row.checksum]));
  return ({ version, up }) => ![undefined, up.checksum].includes(rows.get(version));
}

/** Versions whose down file differs from the stored text. Stored texts without a file here are kept. */
function replacements(
  migrations: readonly Migration[],
  { applied, storedDowns }: RepairFacts,
): Extract<RepairAction, { type: 'replace down' }>[] {
  const rows = new Set(applied.map(({ version }) => version));
  const stored = new Map(storedDowns.map((one) => [one.version, one]));
  return migrations.flatMap((migration) => {
    const kept = stored.get(migration.version);
    const differs = migration.down && rows.has(migration.version) && kept?.checksum !== migration.down.checksum;
    return differs === true ? [{ type: 'replace down', migration, kept: kept?.sql } as const] : [];
  });
}

/** What is left as it is, one sentence each, with the command that would change it. */
export function leftBy(actions: readonly RepairAction[], facts: RepairFacts, { only }: RepairWish): string[] {
  const done = new Set(actions.map((action) => `${action.type} ${versionOf(action)}`));
  const isLeft = (version: Version, ...types: readonly RepairAction['type'][]): boolean =>
    (only === undefined || only === version) && !types.some((type) => done.has(`${type} ${version}`));
  return [
    ...facts.inPart
      .filter(({ version }) => isLeft(version, 'settle statement', 'reset progress'))
      .map((one) => `${describeInPart(one)}; ${one.started ? `${settleHint(one)}; or ` : ''}${waysOut(one)}`),
    ...replacements(facts.migrations, facts)
      .filter(({ migration: { version } }) => isLeft(version, 'replace down'))
      .map(
        ({ migration: { version, down } }) =>
          `the stored down SQL of ${version} differs from ${down?.file ?? ''}; "lockstep repair --only ${version} --down files" replaces it`,
      ),
    ...facts.heldVersions
      .filter(({ version }) => isLeft(version, 'release hold'))
      .map(
        (hold) =>
          `${hold.version} stays held: ${describeHeldVersion(hold)}; "lockstep repair --only ${hold.version}" ends the hold`,
      ),
  ];
}

/** The error if `only` is unknown; undefined if it can be repaired. */
export function unknownOnly(facts: RepairFacts, only: Version | undefined): MigratorError | undefined {
  const known = knownVersions(facts);
  if (only === undefined || known.includes(only)) return undefined;
  return new MigratorError('CONFIG_INVALID', `--only ${only}: neither the files nor the history have this version`, {
    hint: versionGuess(only, known) ?? 'give a version as "lockstep status" shows it',
  });
}

/** Every version that files, history or journal know. */
export function knownVersions({ migrations, applied, inPart, heldVersions }: RepairFacts): Version[] {
  return [...new Set([...migrations, ...applied, ...inPart, ...heldVersions].map(({ version }) => version))];
}

/** The error if some `rename` is refused; undefined if all are valid. */
export function wrongRename(facts: RepairFacts, rename: readonly Rename[] = []): MigratorError | undefined {
  const { settings, texts } = wrongRenames(rename, facts);
  if (settings.length > 0) {
    return new MigratorError('CONFIG_INVALID', '--rename does not match files and history; nothing was changed', {
      problems: settings,
      hint: 'give --rename OLD=NEW: OLD is applied and has no file, NEW has one; "lockstep status" lists both',
    });
  }
  if (texts.length === 0) return undefined;
  return new MigratorError('HISTORY_CONFLICT', 'the renamed file has another text; nothing was changed', {
    problems: texts,
    hint: 'if it is the same migration, restore the text that was applied and put the change into a new file; if it is another migration, "lockstep up" applies it',
  });
}

export function versionOf(action: RepairAction): Version {
  switch (action.type) {
    case 'settle statement':
    case 'settle history':
      return action.version;
    case 'reset progress':
      return action.inPart.version;
    case 'release hold':
      return action.hold.version;
    case 'accept checksum':
    case 'replace down':
    case 'rename':
      return action.migration.version;
  }
}

/** One line for people, shown before anything is done. */
export function describeRepair(action: RepairAction): string {
  switch (action.type) {
    case 'accept checksum':
      return `accept the changed ${action.migration.up.file} as the text that was applied, and keep the stored down SQL`;
    case 'replace down':
      return `replace the stored down SQL with ${action.migration.down?.file ?? ''}`;
    case 'rename':
      return `rename ${action.from} to ${action.migration.version} in the history, and keep the time at which it was applied`;
    case 'settle history':
      return action.from === 'journal'
        ? 'record it again: it is applied according to the journal'
        : 'treat it as not applied: the next up applies it';
    case 'settle statement': {
      const what = `statement ${action.started.statement}${action.direction === 'down' ? ' of the down file' : ''}`;
      const settled = action.as === 'done' ? `treat ${what} as done` : `run ${what} again`;
      return action.direction === 'down' ? `${settled}; the same down finishes it` : settled;
    }
    case 'reset progress':
      return `forget its progress (${describeInPart(action.inPart)}); ${action.inPart.direction === 'up' ? 'it is pending again and runs from the start' : 'it counts as applied again'}`;
    case 'release hold':
      return `end the hold, so that the next up applies it: ${describeHeldVersion(action.hold)}`;
  }
}

/** The lines that an action removes and adds. */
export function diffOf(action: RepairAction): readonly string[] {
  if (action.type !== 'replace down' || action.kept === undefined || !action.migration.down) return [];
  return downDiff(action.migration.version, action.kept, action.migration.down.text);
}
