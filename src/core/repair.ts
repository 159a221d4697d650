/** What `repair` may do to history and journal, and which of it a database needs. */
import { MigratorError } from './errors.ts';
import type { AppliedVersion } from './history.ts';
import { describeHold, type Hold } from './hold.ts';
import type { Direction, Migration, Version } from './migration.ts';
import { nearest } from './nearest.ts';
import { plannedRenames, wrongRenames, type Rename } from './renames.ts';
import type { StoredDown } from './stored-down.ts';

export type RepairAction =
  | { readonly type: 'accept checksum'; readonly migration: Migration }
  | { readonly type: 'replace down'; readonly migration: Migration }
  | { readonly type: 'settle statement'; readonly incomplete: IncompleteStatement; readonly as: StatementOutcome }
  | { readonly type: 'rename'; readonly from: Version; readonly migration: Migration }
  | { readonly type: 'release hold'; readonly hold: Hold };

/** A statement outside a transaction whose run died in it. */
export interface IncompleteStatement {
  readonly version: Version;
  readonly direction: Direction;
  readonly statement: number;
  readonly checksum: string;
}

/** What a person has found: it did its work, or it is to run again. */
type StatementOutcome = 'done' | 'again';

export interface RepairFacts {
  readonly migrations: readonly Migration[];
  readonly applied: readonly AppliedVersion[];
  readonly storedDowns: readonly StoredDown[];
  readonly incomplete: readonly IncompleteStatement[];
  readonly holds: readonly Hold[];
}

export interface RepairWish {
  /** Only this version. */
  readonly only?: Version | undefined;
  readonly statement?: StatementOutcome | undefined;
  /** These and nothing else. */
  readonly rename?: readonly Rename[] | undefined;
}

export function planRepair(facts: RepairFacts, { only, statement, rename }: RepairWish): RepairAction[] {
  if (rename) return plannedRenames(rename, facts).map(({ from, migration }) => ({ type: 'rename', from: from.version, migration }));
  const meant = (other: Version): boolean => only === undefined || other === only;
  const rows = new Map(facts.applied.map((row) => [row.version, row]));
  const stored = new Map(facts.storedDowns.map((down) => [down.version, down.checksum]));
  const actions = facts.migrations.flatMap((migration): RepairAction[] => {
    const row = rows.get(migration.version);
    if (!row || !meant(migration.version)) return [];
    if (row.checksum !== undefined && row.checksum !== migration.up.checksum) return [{ type: 'accept checksum', migration }];
    return stored.get(migration.version) === migration.down?.checksum ? [] : [{ type: 'replace down', migration }];
  });
  const settled = statement ? facts.incomplete.filter((one) => meant(one.version)) : [];
  const holds = facts.holds.filter(({ version }) => meant(version));
  return [
    ...actions,
    ...settled.map((incomplete) => ({ type: 'settle statement', incomplete, as: statement ?? 'again' }) as const),
    ...holds.map((hold) => ({ type: 'release hold', hold }) as const),
  ];
}

/** Why `only` is no version that can be repaired; undefined when it is one. */
export function unknownOnly({ migrations, applied, incomplete, holds }: RepairFacts, only: Version | undefined): MigratorError | undefined {
  const known = [...new Set([...migrations, ...applied, ...incomplete, ...holds].map(({ version }) => version))];
  if (only === undefined || known.includes(only)) return undefined;
  const guess = nearest(only, known);
  return new MigratorError('CONFIG_INVALID', `--only ${only}: neither the files nor the history have it`, {
    hint: guess === undefined ? 'give a version as "lockstep status" shows it' : `did you mean ${guess}?`,
  });
}

/** Why `rename` is none; undefined when all are. */
export function wrongRename(facts: RepairFacts, rename: readonly Rename[] = []): MigratorError | undefined {
  const { settings, texts } = wrongRenames(rename, facts);
  if (settings.length > 0) {
    return new MigratorError('CONFIG_INVALID', 'nothing was renamed so', { problems: settings, hint: 'give --rename OLD=NEW: OLD is applied and has no file, NEW has one; "lockstep status" lists both' });
  }
  if (texts.length === 0) return undefined;
  return new MigratorError('HISTORY_CONFLICT', 'another text is no rename', {
    problems: texts,
    hint: 'if it is the same migration, give the file the text that was applied and put what is new into a new one; if it is another migration, "lockstep up" applies it as it is',
  });
}

/** For a person who has to say what became of a statement. */
export function settleHint(version: Version): string {
  const command = `lockstep repair --only ${version} --statement`;
  return `look at the database; if the statement did its work, run "${command} done", if it is to run again, "${command} again"; then run up`;
}

export function versionOf(action: RepairAction): Version {
  switch (action.type) {
    case 'settle statement':
      return action.incomplete.version;
    case 'release hold':
      return action.hold.version;
    case 'accept checksum':
    case 'replace down':
    case 'rename':
      return action.migration.version;
  }
}

/** For people, before anything is done. */
export function describeRepair(action: RepairAction): string {
  switch (action.type) {
    case 'accept checksum':
      return `accept the changed ${action.migration.up.file} as what was applied, and keep its down SQL`;
    case 'replace down':
      return action.migration.down
        ? `replace the stored down SQL by ${action.migration.down.file}`
        : 'forget the stored down SQL: there is no down file any more';
    case 'rename':
      return `record ${action.from} as ${action.migration.version}, with the time at which it was applied`;
    case 'settle statement':
      return action.as === 'done'
        ? `take statement ${action.incomplete.statement} for done`
        : `let statement ${action.incomplete.statement} run again`;
    case 'release hold':
      return `end the hold, so that the next up applies it: ${describeHold(action.hold)}`;
  }
}
