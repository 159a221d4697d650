// Answers: how is a run held where one wants it? A migration waits for an advisory lock that the bench has.
import { eventually } from '../test/support/bounded.ts';
import { holdKey } from '../test/support/holder.ts';
import type { Migration } from './migrations.ts';
import type { Place } from './place.ts';

/** Nobody else's key. */
const KEY = '5150301';

export interface Gate {
  /** Resolves once somebody waits there. */
  arrived(): Promise<void>;
  open(): Promise<void>;
}

/** Closed in the database at `url`. */
export async function closeGate(place: Place, url: string): Promise<Gate> {
  const holder = await holdKey(url, KEY, 'gate');
  return {
    open: () => holder.release(),
    arrived: async () => {
      await eventually('somebody to wait at the gate', async () => {
        const waiting = `SELECT 1 AS here FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = ${KEY}`;
        return (await place.query(url, waiting)).length > 0;
      });
    },
  };
}

export function gateMigration(number: number): Migration {
  return { number, name: 'gate', sql: `SELECT pg_advisory_xact_lock(${KEY});\n`, undo: 'SELECT 1;\n' };
}
