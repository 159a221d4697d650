/**
 * Runs many trials, a few at once, each in its own database, as a concurrent build waits for all snapshots of its
 * database.
 */
import { randomBytes } from 'node:crypto';

import { inDatabase } from '../../support/databases.ts';

export interface SideBySide<T> {
  readonly serverUrl: string;
  readonly items: readonly T[];
  /** The number of trials at once. */
  readonly lanes: number;
  readonly each: (item: T, databaseUrl: string) => Promise<void>;
}

export async function sideBySide<T>({ serverUrl, items, lanes, each }: SideBySide<T>): Promise<void> {
  const left = [...items];
  const name = `lockstep_test_${randomBytes(6).toString('hex')}`;
  await Promise.all(
    Array.from({ length: Math.min(lanes, items.length) }, (_, lane) =>
      inDatabase(serverUrl, `${name}_${lane}`, async (databaseUrl) => {
        for (let item = left.shift(); item !== undefined; item = left.shift()) await each(item, databaseUrl);
      }),
    ),
  );
}
