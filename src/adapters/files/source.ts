/**
 * Reads migrations from one flat directory, or from files named one by one; names every file that is wrong at once.
 * The files are small and many, and are read before anything else is under way: waiting for each on another thread, as
 * node:fs/promises does, takes ten times as long.
 */
import { readdirSync, readFileSync, statSync, type Dirent } from 'node:fs';
import { basename, resolve } from 'node:path';

import { MigratorError } from '../../core/errors.ts';
import {
  checksum,
  compareVersions,
  parseDirectives,
  parseFileName,
  withoutBom,
  type FileKind,
  type Migration,
  type Script,
  type Version,
} from '../../core/migration.ts';
import type { MigrationSet, MigrationSource } from '../../core/ports.ts';

export type FileSourceOptions = ({ readonly dir: string } | { readonly files: readonly string[] }) & {
  /** No migration files at all is no mistake. */
  readonly allowEmpty: boolean;
};

interface File {
  readonly name: string;
  readonly path: string;
}

/** One version's files. */
type Files = Partial<Record<FileKind, File>>;

/** So many versions take a millisecond. */
const AT_ONCE = 50;

export function createFileSource(options: FileSourceOptions): MigrationSource {
  return { read: () => readAll(options) };
}

async function readAll(options: FileSourceOptions): Promise<MigrationSet> {
  const place = 'dir' in options ? options.dir : 'the list of files';
  const problems: string[] = [];
  const migrations: Migration[] = [];
  let count = 0;
  for (const [version, files] of groupByVersion(filesOf(options, problems), problems)) {
    // The connection, which is opened meanwhile, goes first, and must not wait for the last of many files.
    if (count++ % AT_ONCE === 0) await new Promise(setImmediate);
    const migration = readMigration(version, files, problems);
    if (migration) migrations.push(migration);
  }
  if (problems.length > 0) throw invalid(place, problems);
  if (migrations.length === 0 && !options.allowEmpty) throw noFiles(`there are no migration files in ${place}`);
  migrations.sort((a, b) => compareVersions(a.version, b.version));
  return { migrations };
}

function invalid(place: string, problems: readonly string[]): MigratorError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new MigratorError('MIGRATIONS_INVALID', `the migration files in ${place} have ${count}`, {
    problems: problems.toSorted(),
    hint: 'correct the files; a migration is <number>_<name>.up.sql, with an optional .down.sql and .before.mjs',
  });
}

function noFiles(summary: string): MigratorError {
  return new MigratorError('MIGRATIONS_INVALID', summary, {
    hint: 'check --dir (LOCKSTEP_DIR), and that the image or the volume holds the files there; --allow-empty accepts an empty directory',
  });
}

function filesOf(options: FileSourceOptions, problems: string[]): File[] {
  if ('files' in options) return options.files.map((path) => ({ name: basename(path), path })).filter((file) => isFile(file, problems));
  const files: File[] = [];
  for (const entry of listDirectory(options.dir)) {
    const file = { name: entry.name, path: `${options.dir}/${entry.name}` };
    // Kubernetes mounts a ConfigMap as symbolic links into a dot directory, so links are followed.
    if (entry.isFile() || isFile(file, problems)) files.push(file);
  }
  return files;
}

function listDirectory(dir: string): Dirent[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true }).filter(({ name }) => isMeant(name));
    // What is nearly in order is put in order of versions at once; to compare those takes longer.
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw noFiles(`the migration directory ${dir} ${whyUnreadable(error)}`);
  }
}

function isFile({ name, path }: File, problems: string[]): boolean {
  try {
    if (statSync(path).isFile()) return true;
    // A container runtime makes a directory where the source of a file mount is missing.
    problems.push(`${name}: is not a file`);
  } catch (error) {
    problems.push(`${name}: ${whyUnreadable(error)}`);
  }
  return false;
}

/** Whatever else lies there (a README, modules that hooks import) is none of our business. */
function isMeant(name: string): boolean {
  return !name.startsWith('.') && /\.(?:sql|before\.mjs)$/i.test(name);
}

function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'does not exist',
    ENOTDIR: 'is not a directory',
    EACCES: 'may not be read by this user',
  };
  return reasons[code] ?? `cannot be read (${code})`;
}

function groupByVersion(all: readonly File[], problems: string[]): Map<Version, Files> {
  const versions = new Map<Version, Files>();
  for (const file of all) {
    const { name, path } = file;
    const parsed = parseFileName(name);
    if (!parsed) {
      problems.push(`${name}: is not named <number>_<name>.up.sql, .down.sql or .before.mjs`);
      continue;
    }
    const files = versions.get(parsed.version) ?? {};
    const twin = files[parsed.kind];
    if (twin !== undefined) problems.push(`${name}: is given twice, as ${twin.path} and ${path}`);
    files[parsed.kind] = file;
    versions.set(parsed.version, files);
  }
  for (const [version, { up, down, before }] of versions) {
    if (up !== undefined) continue;
    for (const file of [down, before]) if (file) problems.push(`${file.name}: there is no ${version}.up.sql`);
  }
  return versions;
}

function readMigration(version: Version, files: Files, problems: string[]): Migration | undefined {
  const up = files.up === undefined ? undefined : readScript(files.up, problems);
  const down = files.down === undefined ? undefined : readScript(files.down, problems);
  if (!up) return undefined;
  return {
    version,
    up,
    ...(down && { down }),
    ...(files.before !== undefined && { hookPath: resolve(files.before.path) }),
  };
}

function readScript({ name: file, path }: File, problems: string[]): Script | undefined {
  const read = readText(path);
  if ('problem' in read) {
    problems.push(`${file}: ${read.problem}`);
    return undefined;
  }
  const { text } = read;
  const { directives, problems: wrong } = parseDirectives(text);
  problems.push(...wrong.map((problem) => `${file}: ${problem}`));
  let sum: string | undefined;
  return {
    file,
    text,
    directives,
    // Made when it is first asked for: few are, and Node's cryptography takes a while to load.
    get checksum() {
      return (sum ??= checksum(text));
    },
  };
}

function readText(path: string): { text: string } | { problem: string } {
  try {
    const text = withoutBom(readFileSync(path, 'utf8'));
    // What is no UTF-8 has become this character, unless that stands in the file itself.
    if (text.includes('\uFFFD')) {
      const bytes = readFileSync(path);
      if (!Buffer.from(bytes.toString()).equals(bytes)) return { problem: isUtf16(bytes) ? 'is UTF-16; save it as UTF-8' : 'is not valid UTF-8' };
    }
    // PostgreSQL's protocol ends a string at the first NUL.
    const nul = text.indexOf('\0');
    return nul === -1 ? { text } : { problem: `line ${text.slice(0, nul).split('\n').length}: holds a NUL character` };
  } catch (error) {
    return { problem: whyUnreadable(error) };
  }
}

function isUtf16([first, second]: Buffer): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}
