/** Which of our migrations another tool's history means, and what speaks against taking it over. */
// Its `hash` by name would keep an older Node from importing us, and so from saying which one is needed.
import * as crypto from 'node:crypto';

import { MigratorError } from '../errors.ts';
import { foreignTool } from '../foreign-table.ts';
import type { AppliedVersion } from '../history.ts';
import { compareVersions, versionNumber, type Migration, type Version } from '../migration.ts';
import type { TableName } from '../table-name.ts';
import type { ForeignHistory, ForeignTable, ForeignVersion, ImportTool } from './foreign-history.ts';
import { TOOLS } from './tools.ts';

export interface ImportFacts {
  readonly tool: ImportTool;
  readonly table: ForeignTable;
  readonly migrations: readonly Migration[];
  readonly applied: readonly AppliedVersion[];
  /** Versions that our journal has seen applied or rolled back. */
  readonly journaled: ReadonlySet<Version>;
}

/** A migration to be recorded as applied. */
export interface ImportedMigration {
  readonly migration: Migration;
  /** As the other tool calls it. */
  readonly label: string;
  /** As the server wrote it; undefined where the other tool does not know. */
  readonly appliedAt?: string | undefined;
}

export interface ImportPlan {
  readonly record: readonly ImportedMigration[];
  /** Are in our history already. */
  readonly skipped: readonly Version[];
  /** Files that our history does not have now. */
  readonly pending: readonly Version[];
  readonly warnings: readonly string[];
}

/** What a table is called that was in the way of ours. */
export function setAside({ schema, name }: TableName): TableName {
  return { ...(schema !== undefined && { schema }), name: `${name}_old` };
}

/** Where the tool's table may be, the likeliest first: an earlier import may have set it aside. */
export function placesOf(tool: ImportTool, given: TableName | undefined, ours: TableName): TableName[] {
  const table = given ?? { name: TOOLS[tool].table };
  return table.name === ours.name ? [table, setAside(table)] : [table];
}

/** @throws MigratorError HISTORY_CONFLICT for another tool's table, for one that says that a migration did not end, and naming every version without a file. */
export function planImport({ tool, table, migrations, applied, journaled }: ImportFacts): ImportPlan {
  requireShape(tool, table);
  const { title, settle } = TOOLS[tool];
  const history = TOOLS[tool].read(table.rows);
  if (history.unfinished.length > 0) {
    throw new MigratorError('HISTORY_CONFLICT', `${title} has not finished what it began`, {
      problems: history.unfinished,
      hint: `${settle ?? `settle it with ${title}`}; then import again`,
    });
  }
  const { meant, warnings } = matchFiles(title, history, migrations);
  const recorded = new Set(applied.map(({ version }) => version));
  const wanted = migrations.flatMap((migration): ImportedMigration[] => {
    const foreign = meant.get(migration.version);
    return foreign ? [{ migration, label: foreign.label, appliedAt: foreign.appliedAt }] : [];
  });
  const missing = wanted.filter(({ migration: { version } }) => !recorded.has(version));
  const known = (one: ImportedMigration): boolean => journaled.has(one.migration.version);
  return {
    record: missing.filter((one) => !known(one)),
    skipped: wanted.map(({ migration }) => migration.version).filter((version) => recorded.has(version)),
    pending: migrations.map(({ version }) => version).filter((version) => !recorded.has(version)),
    warnings: [
      ...history.remarks,
      ...warnings,
      ...missing.filter(known).map(({ migration: { version } }) => `${version} was applied and rolled back here since: it is not recorded again`),
    ],
  };
}

function requireShape(tool: ImportTool, { name, columns }: ForeignTable): void {
  const { title, shape = title } = TOOLS[tool];
  const found = foreignTool(columns);
  if (found === shape) return;
  throw new MigratorError('HISTORY_CONFLICT', `table ${name.schema}.${name.name} is no table of ${title}`, {
    problems: [`its columns are ${columns.join(', ')}${found === undefined ? '' : `: it belongs to ${found}`}`],
    hint: 'give the tool whose table it is with --from, or another table with --from-table',
  });
}

interface Matches {
  readonly meant: ReadonlyMap<Version, ForeignVersion>;
  readonly warnings: readonly string[];
}

/** @throws MigratorError HISTORY_CONFLICT naming every version that is not clearly one file. */
function matchFiles(title: string, { applied, through }: ForeignHistory, migrations: readonly Migration[]): Matches {
  const { matched, unknown, problems } = eachToOneFile(applied, migrations);
  const [oldest] = migrations;
  // Whose files were deleted once everybody had them. Where no file fits at all, the files are others.
  const isGone = ({ number }: ForeignVersion): boolean =>
    matched.size > 0 && number !== undefined && oldest !== undefined && compareVersions(number, oldest.version) < 0;
  problems.push(...unknown.filter((one) => !isGone(one)).map(({ label, number }) => `${label}: no file has this ${number === undefined ? 'name' : 'number'}`));
  problems.push(...doubtsUpTo(through, migrations));
  if (problems.length > 0) {
    throw new MigratorError('HISTORY_CONFLICT', `the files are not the ones that ${title} has applied`, {
      problems,
      hint: `give each file the number that it has for ${title}, for example 0042_add_users.up.sql; or record with "lockstep baseline --to VERSION" what the database has`,
    });
  }
  const gone = unknown.map(({ label }) => label).join(', ');
  const doubts = migrations.flatMap((migration) => doubtsAbout(migration, matched.get(migration.version), title));
  return {
    meant: new Map([...upTo(through, migrations), ...matched]),
    warnings: gone === '' ? doubts : [...doubts, `${title} has applied what there are no files for any more, older than all that there are: ${gone}`],
  };
}

interface OneFileEach {
  readonly matched: ReadonlyMap<Version, ForeignVersion>;
  readonly unknown: readonly ForeignVersion[];
  readonly problems: string[];
}

function eachToOneFile(applied: readonly ForeignVersion[], migrations: readonly Migration[]): OneFileEach {
  const filesOf = fileFinder(migrations);
  const matched = new Map<Version, ForeignVersion>();
  const [unknown, problems]: [ForeignVersion[], string[]] = [[], []];
  for (const foreign of applied) {
    const [file, ...others] = filesOf(foreign);
    const rival = file === undefined ? undefined : matched.get(file);
    if (file === undefined) unknown.push(foreign);
    else if (others.length > 0) problems.push(`${foreign.label} may be any of ${[file, ...others].join(', ')}`);
    else if (rival) problems.push(`${rival.label} and ${foreign.label} would both be ${file}`);
    else matched.set(file, foreign);
  }
  return { matched, unknown, problems };
}

/** By number, where two files share one by name, too; by name alone where there is no number. */
function fileFinder(migrations: readonly Migration[]): (foreign: ForeignVersion) => readonly Version[] {
  const versions = migrations.map(({ version }) => version);
  const byNumber = Map.groupBy(versions, versionNumber);
  const byName = Map.groupBy(versions, (version) => plain(nameOf(version)));
  return ({ number, name }) => {
    const named = name === undefined ? [] : (byName.get(plain(name)) ?? []);
    if (number === undefined) return named;
    const numbered = byNumber.get(number) ?? [];
    const both = numbered.filter((version) => named.includes(version));
    return numbered.length > 1 && both.length > 0 ? both : numbered;
  };
}

/** Why nobody can say which files are meant by *everything up to this one*. */
function doubtsUpTo(through: ForeignVersion | undefined, migrations: readonly Migration[]): string[] {
  if (!through) return [];
  const { label, number } = through;
  if (number === undefined) return [`${label}: everything up to it is applied, but among versions with dots no file's number says which that is`];
  const twins = migrations.map(({ version }) => version).filter((version) => versionNumber(version) === number);
  return twins.length > 1 ? [`${label}: everything up to it is applied, but that may be any of ${twins.join(', ')}`] : [];
}

function upTo(through: ForeignVersion | undefined, migrations: readonly Migration[]): [Version, ForeignVersion][] {
  const { number } = through ?? {};
  if (!through || number === undefined) return [];
  const before = migrations.filter(({ version }) => versionNumber(version) === number || compareVersions(version, number) < 0);
  return before.map(({ version }) => [version, { ...through, label: versionNumber(version) ?? version }]);
}

function doubtsAbout({ version, up }: Migration, foreign: ForeignVersion | undefined, title: string): string[] {
  if (!foreign) return [];
  const { label, name, checksum } = foreign;
  return [
    ...(name !== undefined && plain(nameOf(version)) !== plain(name) ? [`${version} has another name for ${title}: ${label}`] : []),
    ...(checksum !== undefined && checksum !== up.checksum && checksum !== crypto.hash('sha256', up.text) ? [`${up.file} is not the text that ${title} has applied`] : []),
  ];
}

function nameOf(version: Version): string {
  return version.slice(version.indexOf('_') + 1);
}

/** Tools write names with spaces, dashes or underscores. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '_');
}
