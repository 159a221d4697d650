// Answers: what does the bench ask of a migrator? To lay out the same migrations its way, and to say how its users run
// it.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from '../command.ts';
import type { Migration } from '../migrations.ts';

export interface Contender {
  /** As in the tables. */
  readonly name: string;
  /** Runs on Node, so that a compile cache can help it. */
  readonly onNode: boolean;
  /** Applies all that is pending in one transaction, as it is by default. */
  readonly inOneTransaction?: boolean;
  /** It has no way to say that a migration must not run in it. */
  readonly onlyInTransactions?: boolean;
  /**
   * Writes `migrations` into `folder`, which is empty. The command applies what is pending in the database at `url`.
   */
  prepare(folder: string, url: string, migrations: readonly Migration[]): Promise<Command>;
}

/** `00007_create_items_7`. */
export function versionOf({ number, name }: Migration): string {
  return `${String(number).padStart(5, '0')}_${name}`;
}

/** Texts by their paths below `folder`. */
export async function writeFiles(folder: string, files: Iterable<readonly [string, string]>): Promise<void> {
  const made = new Set<string>();
  for (const [path, text] of files) {
    const file = join(folder, path);
    if (!made.has(dirname(file))) await mkdir(dirname(file), { recursive: true });
    made.add(dirname(file));
    await writeFile(file, text);
  }
}

/** `<version>.up.sql` and `<version>.down.sql`, as several tools have them. */
export function pairs(migrations: readonly Migration[], below = ''): (readonly [string, string])[] {
  return migrations.flatMap((migration) => [
    [join(below, `${versionOf(migration)}.up.sql`), migration.sql],
    [join(below, `${versionOf(migration)}.down.sql`), migration.undo],
  ]);
}
