/** Reads the kept schema, and a file of patterns. */
import { readFile, writeFile } from 'node:fs/promises';

import type { Catalog } from '../../core/catalog/catalog.ts';
import { parsePatterns } from '../../core/catalog/scope.ts';
import { parseCatalog, writeCatalog } from '../../core/catalog/text.ts';
import { MigratorError } from '../../core/errors.ts';

/** @throws MigratorError CONFIG_INVALID when it cannot be read, or is no such text. */
export async function readSchemaFile(path: string): Promise<Catalog> {
  const catalog = parseCatalog(await read(path));
  if (typeof catalog !== 'string') return catalog;
  throw new MigratorError('CONFIG_INVALID', `${path} is no kept schema: ${catalog}`, { hint: WRITE_IT });
}

/** A sentence if it is no such text. @throws MigratorError CONFIG_INVALID when it cannot be read. */
export async function readKept(path: string): Promise<Catalog | string> {
  const catalog = parseCatalog(await read(path));
  return typeof catalog === 'string' ? `${path}: ${catalog}` : catalog;
}

/** @throws MigratorError CONFIG_INVALID when it cannot be read. */
export async function readPatterns(path: string): Promise<readonly string[]> {
  return parsePatterns(await read(path));
}

/** @throws MigratorError CONFIG_INVALID when it cannot be written. */
export async function writeSchemaFile(path: string, catalog: Catalog): Promise<void> {
  try {
    await writeFile(path, writeCatalog(catalog));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MigratorError('CONFIG_INVALID', `could not write ${path}: ${reason}`, { cause });
  }
}

/** @throws MigratorError CONFIG_INVALID when it cannot be read. */
export async function readSetup(path: string): Promise<string> {
  return await read(path);
}

const WRITE_IT = 'write it with "lockstep prove --write"';

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MigratorError('CONFIG_INVALID', `could not read ${path}: ${reason}`, { cause });
  }
}
