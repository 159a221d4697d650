/** Finds the file of each version in another tool's history, by number and name; never guesses. */
// A named import of `hash` would fail in an older Node, before Lockstep could say which Node it needs.
import * as crypto from 'node:crypto';

import { MigratorError } from '../errors.ts';
import { kindOf, secondsOf } from '../file-names.ts';
import { compareVersions, versionNumber, type Migration, type Version } from '../migration.ts';
import type { ForeignHistory, ForeignVersion } from './foreign-history.ts';

interface Matches {
  readonly meant: ReadonlyMap<Version, ForeignVersion>;
  readonly warnings: readonly string[];
}

/** @throws MigratorError HISTORY_CONFLICT naming every version that does not match exactly one file. */
export function matchFiles(
  title: string,
  { applied, through }: ForeignHistory,
  migrations: readonly Migration[],
): Matches {
  const { matched, unknown, renumbered, problems } = eachToOneFile(applied, migrations);
  const gone = goneBefore(
    applied,
    new Set(matched.values()),
    migrations.filter(({ version }) => !matched.has(version)),
    [...matched.keys()],
  );
  problems.push(
    ...unknown
      .filter((one) => !gone(one))
      .map(
        ({ label, number, name }) =>
          `${label}: no file has this ${number === undefined ? 'name' : name === undefined ? 'number' : 'number or name'}`,
      ),
  );
  problems.push(...doubtsUpTo(through, migrations));
  if (problems.length > 0) {
    throw new MigratorError('HISTORY_CONFLICT', `these files are not the ones that ${title} has applied`, {
      problems,
      hint: `give each file its ${title} number, for example 0042_add_users.up.sql; or record what the database has with "lockstep baseline --to VERSION"`,
    });
  }
  const left = unknown.map(({ label }) => label).join(', ');
  const doubts = migrations.flatMap((migration) => doubtsAbout(migration, matched.get(migration.version), title));
  return {
    meant: new Map([...upTo(through, migrations), ...matched]),
    warnings: [
      ...renumbered,
      ...doubts,
      ...(left === ''
        ? []
        : [`${title} has applied versions whose files no longer exist, older than every file here: ${left}`]),
    ],
  };
}

/**
 * Whether a version's file was deleted after everybody had applied it: it comes before every matched version, in the
 * tool's own order and with a number of the same kind. If no file matches, or an unmatched file lies among the matched
 * ones, these are other files.
 */
function goneBefore(
  applied: readonly ForeignVersion[],
  matched: ReadonlySet<ForeignVersion>,
  rest: readonly Migration[],
  fitting: readonly Version[],
): (one: ForeignVersion) => boolean {
  const first = applied.findIndex((one) => matched.has(one));
  const newest = [...fitting].sort(compareVersions).at(-1);
  const among = newest === undefined || rest.some(({ version }) => compareVersions(version, newest) < 0);
  const kinds = new Set([...matched].map(({ number }) => kindOf(number ?? '')));
  return (one) =>
    first !== -1 &&
    !among &&
    one.number !== undefined &&
    applied.indexOf(one) < first &&
    kinds.size === 1 &&
    kinds.has(kindOf(one.number));
}

interface OneFileEach {
  readonly matched: ReadonlyMap<Version, ForeignVersion>;
  readonly unknown: readonly ForeignVersion[];
  readonly renumbered: readonly string[];
  readonly problems: string[];
}

function eachToOneFile(applied: readonly ForeignVersion[], migrations: readonly Migration[]): OneFileEach {
  const filesOf = fileFinder(applied, migrations);
  const matched = new Map<Version, ForeignVersion>();
  const [unknown, problems, renumbered]: [ForeignVersion[], string[], string[]] = [[], [], []];
  for (const foreign of applied) {
    const found = filesOf(foreign);
    const { label } = foreign;
    const [file, ...others] = found.files;
    const rival = file === undefined ? undefined : matched.get(file);
    if (found.problem !== undefined) problems.push(`${label}: ${found.problem}`);
    else if (file === undefined) unknown.push(foreign);
    else if (others.length > 0) problems.push(`${label} matches several files: ${[file, ...others].join(', ')}`);
    else if (rival) problems.push(`${rival.label} and ${label} both match ${file}`);
    else matched.set(file, foreign);
    if (found.renumbered === true)
      renumbered.push(`${label} is matched with ${found.files.join(', ')} by name and time`);
  }
  return { matched, unknown, renumbered, problems };
}

interface Found {
  readonly files: readonly Version[];
  readonly problem?: string;
  readonly renumbered?: boolean;
}

/**
 * Matches by number, and by name too if two files share the number; by name alone if there is no number, or the same
 * time in another format.
 */
function fileFinder(
  applied: readonly ForeignVersion[],
  migrations: readonly Migration[],
): (foreign: ForeignVersion) => Found {
  const versions = migrations.map(({ version }) => version);
  const byNumber = Map.groupBy(versions, versionNumber);
  const byName = Map.groupBy(versions, (version) => plain(nameOf(version)));
  const namedBy = ({ name }: ForeignVersion): readonly Version[] =>
    name === undefined ? [] : (byName.get(plain(name)) ?? []);
  const numberedBy = ({ number }: ForeignVersion): readonly Version[] =>
    number === undefined ? [] : (byNumber.get(number) ?? []);
  // Names may repeat: these files already match another version by number and name.
  const taken = new Set(applied.flatMap((one) => namedBy(one).filter((version) => numberedBy(one).includes(version))));
  return (foreign) => {
    const [named, numbered] = [namedBy(foreign), numberedBy(foreign)];
    if (foreign.number === undefined) return { files: named };
    const both = numbered.filter((version) => named.includes(version));
    if (both.length > 0) return { files: both };
    const others = named.filter((version) => !taken.has(version));
    const [other] = others;
    if (other === undefined) return { files: numbered };
    if (numbered.length > 0)
      return { files: [], problem: `${numbered.join(', ')} has its number, but ${others.join(', ')} its name` };
    const isRenumbered =
      others.length === 1 &&
      secondsOf(foreign.number) !== undefined &&
      secondsOf(foreign.number) === secondsOf(versionNumber(other) ?? '');
    return isRenumbered
      ? { files: others, renumbered: true }
      : { files: [], problem: `no file has its number, but ${others.join(', ')} has its name` };
  };
}

/** Why it is unclear which files "everything up to this one" includes. */
function doubtsUpTo(through: ForeignVersion | undefined, migrations: readonly Migration[]): string[] {
  if (!through) return [];
  const { label, number } = through;
  if (number === undefined)
    return [`${label}: everything up to it is applied, but with dotted versions no file number shows which file it is`];
  const twins = migrations.map(({ version }) => version).filter((version) => versionNumber(version) === number);
  return twins.length > 1
    ? [`${label}: everything up to it is applied, but it matches several files: ${twins.join(', ')}`]
    : [];
}

function upTo(through: ForeignVersion | undefined, migrations: readonly Migration[]): [Version, ForeignVersion][] {
  const { number } = through ?? {};
  if (!through || number === undefined) return [];
  const before = migrations.filter(
    ({ version }) => versionNumber(version) === number || compareVersions(version, number) < 0,
  );
  return before.map(({ version }) => [version, { ...through, label: versionNumber(version) ?? version }]);
}

function doubtsAbout({ version, up }: Migration, foreign: ForeignVersion | undefined, title: string): string[] {
  if (!foreign) return [];
  const { label, name, checksum } = foreign;
  return [
    ...(name !== undefined && plain(nameOf(version)) !== plain(name)
      ? [`${version} has another name in ${title}: ${label}`]
      : []),
    ...(checksum !== undefined && checksum !== up.checksum && checksum !== crypto.hash('sha256', up.text)
      ? [`${up.file} differs from the text that ${title} has applied`]
      : []),
  ];
}

function nameOf(version: Version): string {
  return version.slice(version.indexOf('_') + 1);
}

/** Tools write names with spaces, dashes or underscores. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '_');
}
