/** Reads another tool's directory, and writes the converted files; never overwrites. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

import type { NewFile, OldFile } from '../../core/convert/converted.ts';
import { MigratorError } from '../../core/errors.ts';
import type { ConversionFiles } from '../../core/ports.ts';
import { readText } from './read-text.ts';

export function createConversionFiles(from: string, to: string): ConversionFiles {
  return {
    read: () => readOld(from),
    write: (files) => writeNew(to, files),
    existing: (names) => names.filter((name) => existsSync(join(to, name))),
  };
}

/** @throws MigratorError MIGRATIONS_INVALID naming every file that can't be read. */
function readOld(from: string): readonly OldFile[] {
  const problems: string[] = [];
  const files: OldFile[] = [];
  for (const path of pathsBelow(from)) {
    const read = readText(join(from, path));
    if ('problem' in read) problems.push(`${path}: ${read.problem}`);
    else files.push({ path, text: read.text });
  }
  if (problems.length === 0) return files;
  throw new MigratorError('MIGRATIONS_INVALID', `cannot read all files in ${from}; nothing was written`, {
    problems,
    hint: 'correct these files, then run the command again',
  });
}

/** Files that a migration tool reads. */
const MEANT = /\.(?:sql|sql\.conf|go|js|cjs|mjs|ts|java|kt|class|jar|py|sh)$/;

function pathsBelow(from: string): string[] {
  try {
    const entries = readdirSync(from, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
    const paths = entries.map((entry) =>
      relative(resolve(from), resolve(entry.parentPath, entry.name)).replaceAll('\\', '/'),
    );
    return paths.filter((path) => MEANT.test(path) && !/_test\.go$|(?:^|\/)(?:\.|node_modules\/)/.test(path)).sort();
  } catch (cause) {
    throw new MigratorError('MIGRATIONS_INVALID', `cannot read the directory ${from}`, {
      cause,
      problems: [cause instanceof Error ? cause.message : String(cause)],
      hint: "set --files to the directory with the other tool's files",
    });
  }
}

function writeNew(to: string, files: readonly NewFile[]): void {
  const made: string[] = [];
  try {
    mkdirSync(to, { recursive: true });
    for (const { name, text } of files) {
      const path = join(to, name);
      // wx fails if somebody else has just created the same file.
      writeFileSync(path, text, { flag: 'wx' });
      made.push(path);
    }
  } catch (cause) {
    for (const path of made) rmSync(path, { force: true });
    throw new MigratorError('MIGRATIONS_INVALID', `cannot write the files into ${to}; none were kept`, {
      cause,
      problems: [cause instanceof Error ? cause.message : String(cause)],
      hint: 'check --dir (LOCKSTEP_DIR) and its permissions, then run again',
    });
  }
}
