/** Reads migrations from one flat directory, or from files named one by one; names every file that is wrong at once. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

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

/** Paths of one version's files. */
type Files = Partial<Record<FileKind, string>>;

export function createFileSource(options: FileSourceOptions): MigrationSource {
  const place = 'dir' in options ? options.dir : 'the list of files';
  return {
    async read(): Promise<MigrationSet> {
      const problems: string[] = [];
      const paths = 'dir' in options ? await listDirectory(options.dir) : options.files;
      const versions = groupByVersion(await onlyFiles(paths, problems), problems);
      const migrations: Migration[] = [];
      for (const [version, files] of versions) {
        const migration = await readMigration(version, files, problems);
        if (migration) migrations.push(migration);
      }
      if (problems.length > 0) throw invalid(place, problems);
      if (migrations.length === 0 && !options.allowEmpty) throw noFiles(`there are no migration files in ${place}`);
      migrations.sort((a, b) => compareVersions(a.version, b.version));
      return { migrations };
    },
  };
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

async function listDirectory(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    throw noFiles(`the migration directory ${dir} ${whyUnreadable(error)}`);
  });
  return names.filter(isMeant).map((name) => join(dir, name));
}

/** Kubernetes mounts a ConfigMap as symbolic links into a dot directory, so links are followed. */
async function onlyFiles(paths: readonly string[], problems: string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const entry = await stat(path).catch((error: unknown) => whyUnreadable(error));
    if (typeof entry === 'string') problems.push(`${basename(path)}: ${entry}`);
    // A container runtime makes a directory where the source of a file mount is missing.
    else if (!entry.isFile()) problems.push(`${basename(path)}: is not a file`);
    else files.push(path);
  }
  return files;
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

function groupByVersion(paths: readonly string[], problems: string[]): Map<Version, Files> {
  const versions = new Map<Version, Files>();
  for (const path of paths) {
    const name = basename(path);
    const parsed = parseFileName(name);
    if (!parsed) {
      problems.push(`${name}: is not named <number>_<name>.up.sql, .down.sql or .before.mjs`);
      continue;
    }
    const files = versions.get(parsed.version) ?? {};
    const twin = files[parsed.kind];
    if (twin !== undefined) problems.push(`${name}: is given twice, as ${twin} and ${path}`);
    files[parsed.kind] = path;
    versions.set(parsed.version, files);
  }
  for (const [version, { up, down, before }] of versions) {
    if (up !== undefined) continue;
    for (const path of [down, before]) if (path !== undefined) problems.push(`${basename(path)}: there is no ${version}.up.sql`);
  }
  return versions;
}

async function readMigration(version: Version, files: Files, problems: string[]): Promise<Migration | undefined> {
  const up = files.up === undefined ? undefined : await readScript(files.up, problems);
  const down = files.down === undefined ? undefined : await readScript(files.down, problems);
  if (!up) return undefined;
  return {
    version,
    up,
    ...(down && { down }),
    ...(files.before !== undefined && { hookPath: resolve(files.before) }),
  };
}

async function readScript(path: string, problems: string[]): Promise<Script | undefined> {
  const file = basename(path);
  const bytes = await readFile(path).catch((error: unknown) => whyUnreadable(error));
  const text = typeof bytes === 'string' ? { problem: bytes } : decode(bytes);
  if ('problem' in text) {
    problems.push(`${file}: ${text.problem}`);
    return undefined;
  }
  const { directives, problems: wrong } = parseDirectives(text.decoded);
  problems.push(...wrong.map((problem) => `${file}: ${problem}`));
  return { file, text: text.decoded, checksum: checksum(text.decoded), directives };
}

function decode(bytes: Buffer): { decoded: string } | { problem: string } {
  try {
    const decoded = withoutBom(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    // PostgreSQL's protocol ends a string at the first NUL.
    const nul = decoded.indexOf('\0');
    return nul === -1 ? { decoded } : { problem: `line ${decoded.slice(0, nul).split('\n').length}: holds a NUL character` };
  } catch {
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    return { problem: utf16 ? 'is UTF-16; save it as UTF-8' : 'is not valid UTF-8' };
  }
}
