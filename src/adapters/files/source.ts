/**
 * Reads migrations from one flat directory, or from a list of files; reports every wrong file at once.
 * Uses synchronous calls: the files are small and many, and node:fs/promises, which waits for another thread at each of
 * them, takes ten times as long.
 */
import { opendirSync, readdirSync, statSync, type Dir, type Dirent } from 'node:fs';
import { basename, resolve } from 'node:path';

import { MigratorError } from '../../core/errors.ts';
import { isSeed, judgeName, someOf, type FileProblem, type FileRemark } from '../../core/file-names.ts';
import {
  compareVersions,
  parseDirectives,
  parseFileName,
  versionNumber,
  type FileKind,
  type Migration,
  type Script,
  type Version,
} from '../../core/migration.ts';
import type { ReviewSet, ReviewSource } from '../../core/rules/review-source.ts';
import { counted } from '../../output/words.ts';
import { readText, whyUnreadable } from './read-text.ts';
import { KeptScript, RereadScript, TextBudget } from './script.ts';

export type FileSourceOptions = ({ readonly dir: string } | { readonly files: readonly string[] }) & {
  /** Accept a directory without migration files. */
  readonly allowEmpty: boolean;
};

interface File {
  readonly name: string;
  readonly path: string;
}

/** One version's files. */
type Files = Partial<Record<FileKind, File>>;

/** Problems refuse the run (exit 21); remarks become warnings, or problems with `--strict`. */
interface Found {
  readonly problems: FileProblem[];
  readonly remarks: FileRemark[];
}

/** How many versions to read before yielding; they take about a millisecond. */
const AT_ONCE = 50;

export function createFileSource(options: FileSourceOptions): ReviewSource {
  return {
    async read() {
      const { problems, ...set } = await readAll(options);
      if (problems.length > 0) throw invalid(placeOf(options), problems);
      return set;
    },
    readWithProblems: () => readAll(options),
  };
}

function placeOf(options: FileSourceOptions): string {
  return 'dir' in options ? options.dir : 'the list of files';
}

async function readAll(options: FileSourceOptions): Promise<ReviewSet> {
  const found: Found = { problems: [], remarks: [] };
  const { problems, remarks } = found;
  const migrations: Migration[] = [];
  const budget = new TextBudget();
  let count = 0;
  const versions = groupByVersion(filesOf(options, found), found);
  for (const [version, files] of versions) {
    // What is read need not be kept until all is read.
    versions.delete(version);
    // The connection is opened at the same time and must not wait for many files.
    if (count++ % AT_ONCE === 0) await new Promise(setImmediate);
    const migration = readMigration(version, files, problems, budget);
    if (migration) migrations.push(migration);
  }
  if (migrations.length === 0 && problems.length === 0 && !options.allowEmpty)
    throw noFiles(`there are no migration files in ${placeOf(options)}`, remarks);
  migrations.sort((a, b) => compareVersions(a.version, b.version));
  return { migrations, remarks, problems };
}

function invalid(place: string, problems: readonly FileProblem[]): MigratorError {
  const count = counted(problems.length, 'problem');
  return new MigratorError('MIGRATIONS_INVALID', `the migration files in ${place} have ${count}`, {
    problems: problems.map(({ file, message }) => `${file}: ${message}`).toSorted(),
    hint: 'correct the files; a migration is <number>_<name>.up.sql, with an optional .down.sql and .before.mjs',
  });
}

function noFiles(summary: string, remarks: readonly FileRemark[] = []): MigratorError {
  return new MigratorError('MIGRATIONS_INVALID', summary, {
    ...(remarks.length > 0 && { problems: remarks.map(({ message }) => message) }),
    hint: 'check --dir (LOCKSTEP_DIR), and that the image or the volume holds the files there; "lockstep create NAME" creates the first ones; --allow-empty accepts an empty directory',
  });
}

function filesOf(options: FileSourceOptions, found: Found): File[] {
  const { problems } = found;
  if ('files' in options)
    return options.files.map((path) => ({ name: basename(path), path })).filter((file) => isFile(file, problems));
  const files: File[] = [];
  const others: Dirent[] = [];
  for (const entry of entriesOf(options.dir)) {
    const file = { name: entry.name, path: `${options.dir}/${entry.name}` };
    if (!isMeant(entry.name)) others.push(entry);
    // Kubernetes mounts a ConfigMap as symbolic links into a dot directory, so links are followed.
    else if (entry.isFile() || isFile(file, problems)) files.push(file);
  }
  const names = (): Set<string> => new Set([...files, ...others].map(({ name }) => name));
  if (others.length > 0) judgeOthers(options.dir, others.sort(byName), names(), found);
  // By name: the later sort by version is then fast, because comparing versions is slower.
  return files.sort(byName);
}

/** Reports the files that another tool would apply and Lockstep does not. */
function judgeOthers(
  dir: string,
  others: readonly Dirent[],
  names: ReadonlySet<string>,
  { problems, remarks }: Found,
): void {
  const foreign: string[] = [];
  const below: string[] = [];
  for (const entry of others) {
    const { name } = entry;
    const sql = entry.isFile() ? undefined : sqlBelow(`${dir}/${name}`);
    if (sql !== undefined) below.push(`${name}/${sql}`);
    if (!entry.isFile() && (sql !== undefined || !entry.isSymbolicLink())) continue;
    const verdict = judgeName(name, names);
    if (verdict === 'other tool') foreign.push(name);
    if (verdict === 'refused')
      problems.push({ file: name, message: `${WRONG_NAME}, and golang-migrate would apply it` });
  }
  if (foreign.length > 0)
    remarks.push({
      message: `another tool would apply these files, Lockstep does not: ${someOf(foreign)}`,
      strict: true,
    });
  if (below.length > 0) remarks.push({ message: `files in subfolders are not read: ${someOf(below)}`, strict: true });
}

/** A .sql file in this folder or below it; undefined if there is none. */
function sqlBelow(folder: string): string | undefined {
  const open = [''];
  for (let looked = 0; open.length > 0 && looked < MOST_FOLDERS; looked += 1) {
    const below = open.shift() ?? '';
    let entries: Dirent[];
    try {
      entries = readdirSync(`${folder}/${below}`, { withFileTypes: true }).filter(({ name }) => !isNobodys(name));
    } catch {
      continue;
    }
    const sql = entries.find((entry) => !entry.isDirectory() && /\.sql$/i.test(entry.name));
    if (sql) return `${below}${sql.name}`;
    for (const entry of entries) if (entry.isDirectory()) open.push(`${below}${entry.name}/`);
  }
  return undefined;
}

const MOST_FOLDERS = 200;

/** One by one, as a directory may have very many. */
function* entriesOf(dir: string): Generator<Dirent> {
  let folder: Dir | undefined;
  try {
    folder = opendirSync(dir, { bufferSize: 256 });
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) if (!isNobodys(entry.name)) yield entry;
  } catch (error) {
    throw noFiles(`the migration directory ${dir} ${whyUnreadable(error)}`);
  } finally {
    folder?.closeSync();
  }
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function isFile({ name, path }: File, problems: FileProblem[]): boolean {
  try {
    if (statSync(path).isFile()) return true;
    // A container runtime creates a directory if the source of a file mount does not exist.
    problems.push({ file: name, message: 'is not a file' });
  } catch (error) {
    problems.push({ file: name, message: whyUnreadable(error) });
  }
  return false;
}

/** Names that belong to a ConfigMap's mount, a package manager or the file system. */
function isNobodys(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules' || name === 'lost+found';
}

/** Whether the name looks like a migration's. Other files (a README, modules that hooks import) are ignored. */
function isMeant(name: string): boolean {
  return /\.(?:sql|before\.mjs)$/i.test(name) && !isSeed(name);
}

const WRONG_NAME = 'is not named <number>_<name>.up.sql, .down.sql or .before.mjs';

function groupByVersion(all: readonly File[], { problems, remarks }: Found): Map<Version, Files> {
  const versions = new Map<Version, Files>();
  for (const file of all) {
    const { name, path } = file;
    const parsed = parseFileName(name);
    if (!parsed) {
      problems.push({ file: name, message: WRONG_NAME });
      continue;
    }
    const files = versions.get(parsed.version) ?? {};
    const twin = files[parsed.kind];
    if (twin !== undefined) problems.push({ file: name, message: `is listed twice, as ${twin.path} and ${path}` });
    files[parsed.kind] = file;
    versions.set(parsed.version, files);
  }
  const lonely = [...versions].filter(([, { up }]) => up === undefined);
  if (lonely.some(([, { down }]) => down !== undefined)) pairByNumber(versions, remarks);
  for (const [version, { down, before }] of lonely) {
    for (const file of [down, before])
      if (file) problems.push({ file: file.name, message: `there is no ${version}.up.sql` });
  }
  return versions;
}

/**
 * golang-migrate's rule: among files without a counterpart by name, exactly one up and one down file with the same
 * number are a pair.
 */
function pairByNumber(versions: ReadonlyMap<Version, Files>, remarks: FileRemark[]): void {
  const pairs: string[] = [];
  const left = [...versions].filter(([, { up, down }]) => (up === undefined) !== (down === undefined));
  for (const group of Map.groupBy(left, ([version]) => versionNumber(version)).values()) {
    const upper = group.map(([, files]) => files).find(({ up }) => up);
    const lower = group.map(([, files]) => files).find(({ down }) => down);
    if (group.length !== 2 || !upper?.up || !lower?.down) continue;
    pairs.push(`${upper.up.name} with ${lower.down.name}`);
    upper.down = lower.down;
    delete lower.down;
  }
  if (pairs.length > 0)
    remarks.push({
      message: `paired by number, although their names differ: ${someOf(pairs)}`,
      strict: false,
    });
}

function readMigration(
  version: Version,
  files: Files,
  problems: FileProblem[],
  budget: TextBudget,
): Migration | undefined {
  const up = files.up === undefined ? undefined : readScript(files.up, problems, budget);
  const down = files.down === undefined ? undefined : readScript(files.down, problems, budget);
  if (!up) return undefined;
  return {
    version,
    up,
    ...(down && { down }),
    ...(files.before !== undefined && { hookPath: resolve(files.before.path) }),
  };
}

function readScript({ name, path }: File, problems: FileProblem[], budget: TextBudget): Script | undefined {
  const read = readText(path);
  if ('problem' in read) {
    problems.push({ file: name, message: read.problem });
    return undefined;
  }
  const { directives, problems: wrong } = parseDirectives(read.text);
  problems.push(...wrong.map((message) => ({ file: name, message })));
  const script = new KeptScript(name, read.text, directives);
  return budget.keeps(read.text) ? script : new RereadScript(script, path);
}
