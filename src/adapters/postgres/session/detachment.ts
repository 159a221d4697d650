/** How a DETACH PARTITION CONCURRENTLY stands in the catalog, and how one that was killed is ended. */
import type { Unit } from '../../../core/sql/script-plan.ts';
import { qualified, regclass } from './sql.ts';
import type { Wire } from './wire.ts';

export type Detachment = NonNullable<Unit['detaches']>;

export async function detachState(wire: Wire, { parent, partition }: Detachment): Promise<'attached' | 'pending' | 'detached'> {
  const [result] = await wire.message(
    `SELECT inhdetachpending FROM pg_catalog.pg_inherits` +
      ` WHERE inhrelid = ${regclass(partition.schema, partition.name)} AND inhparent = ${regclass(parent.schema, parent.name)}`,
  );
  const row = result?.rows[0];
  if (!row) return 'detached';
  return row[0] === 't' ? 'pending' : 'attached';
}

export async function finalizeDetach(wire: Wire, { parent, partition }: Detachment): Promise<void> {
  await wire.message(
    `ALTER TABLE ${qualified(parent.schema, parent.name)} DETACH PARTITION ${qualified(partition.schema, partition.name)} FINALIZE`,
  );
}
