/** Detects renamed files: the text is applied under the old name and must not run again under the new one. */
import type { AppliedVersion } from '../history.ts';
import { versionNumber, type Migration, type Version } from '../migration.ts';
import { versionGuess } from './named-version.ts';

export interface Rename {
  readonly from: Version;
  readonly to: Version;
}

/** Shorter texts may be equal by chance. */
const SHORTEST_TEXT = 40;

/** Files that would run although their text is applied as a version without a file here. */
export function findRenames(files: readonly Migration[], gone: readonly AppliedVersion[]): Rename[] {
  if (gone.length === 0) return [];
  const byText = Map.groupBy(
    gone.filter(({ checksum }) => checksum !== undefined),
    ({ checksum }) => checksum,
  );
  if (byText.size === 0) return [];
  const candidates = files.filter(({ up }) => up.text.length >= SHORTEST_TEXT);
  return candidates.flatMap(({ version: to, up }) =>
    (byText.get(up.checksum) ?? []).map(({ version: from }) => ({ from, to })),
  );
}

export function renameProblems(
  renames: readonly Rename[],
): { readonly code: 'HISTORY_CONFLICT'; readonly message: string; readonly hint: string }[] {
  const command = `lockstep repair --rename ${renames.map(({ from, to }) => `${from}=${to}`).join(',')}`;
  const hint = `if the file was renamed, record that: "${command}"; if the same SQL is to run again, change its text (a comment suffices)`;
  return renames.map(({ from, to }) => ({
    code: 'HISTORY_CONFLICT',
    message: `${to} has the same text as ${from}, which is applied and has no file here: it would run twice`,
    hint,
  }));
}

/**
 * One sentence about pending files with the number of an applied version without a file: other migrations, or renamed
 * and changed.
 */
export function sameNumbers(files: readonly Migration[], gone: readonly AppliedVersion[]): string {
  const byNumber = new Map(gone.map(({ version }) => [versionNumber(version), version]));
  const found = files.flatMap(({ version }) => {
    const other = byNumber.get(versionNumber(version));
    return other === undefined ? [] : [`${version} (applied: ${other})`];
  });
  return found.length === 0
    ? ''
    : `pending, with the same number as an applied version without a file here: ${found.join(', ')}`;
}

export interface RenameFacts {
  readonly migrations: readonly Migration[];
  readonly applied: readonly AppliedVersion[];
}

/** Leaves out renames that are already recorded. */
export function plannedRenames(
  renames: readonly Rename[],
  { migrations, applied }: RenameFacts,
): { readonly from: AppliedVersion; readonly migration: Migration }[] {
  const files = new Map(migrations.map((migration) => [migration.version, migration]));
  const rows = new Map(applied.map((row) => [row.version, row]));
  return renames.flatMap(({ from, to }) => {
    const [row, migration] = [rows.get(from), files.get(to)];
    return row && migration && !rows.has(to) ? [{ from: row, migration }] : [];
  });
}

/** Why renames are refused: `settings` for wrong names (exit 20), `texts` for another text (exit 22). */
export function wrongRenames(
  renames: readonly Rename[],
  { migrations, applied }: RenameFacts,
): { readonly settings: readonly string[]; readonly texts: readonly string[] } {
  const files = new Map(migrations.map((migration) => [migration.version, migration]));
  const rows = new Map(applied.map((row) => [row.version, row]));
  const settings: string[] = [];
  const texts: string[] = [];
  const targets = new Set<Version>();
  for (const { from, to } of renames) {
    const [row, file] = [rows.get(from), files.get(to)];
    if (!row && file && rows.has(to)) continue;
    const name = `--rename ${from}=${to}`;
    if (targets.has(to)) settings.push(`${name}: ${to} is named twice`);
    targets.add(to);
    if (!row) settings.push(`${name}: ${from} is not applied${meant(from, [...rows.keys()])}`);
    else if (files.has(from)) settings.push(`${name}: ${from} has a file here, so it was not renamed`);
    if (!file) settings.push(`${name}: there is no ${to}.up.sql${meant(to, [...files.keys()])}`);
    else if (rows.has(to)) settings.push(`${name}: ${to} is applied as well`);
    else if (row?.checksum !== undefined && row.checksum !== file.up.checksum)
      texts.push(`${file.up.file} differs from the text that was applied as ${from}`);
  }
  return { settings, texts };
}

function meant(version: Version, known: readonly Version[]): string {
  const guess = versionGuess(version, known);
  return guess === undefined ? '' : `; ${guess}`;
}
