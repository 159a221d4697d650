/** The state of a DETACH PARTITION CONCURRENTLY in the catalog, and how to finish one that was killed. */
import type { Unit } from '../../../core/sql/script-plan.ts';
import { namedOid } from '../wire/named.ts';
import { qualified } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';

export type Detachment = NonNullable<Unit['detaches']>;

export async function detachState(wire: Wire, detach: Detachment): Promise<'attached' | 'pending' | 'detached'> {
  const found = await find(wire, detach);
  if (!found) return 'detached';
  return found.pending ? 'pending' : 'attached';
}

/** Uses the qualified names of the tables that were found. */
export async function finalizeDetach(wire: Wire, detach: Detachment): Promise<void> {
  const found = await find(wire, detach);
  if (!found) return;
  await wire.asIs(`ALTER TABLE ${found.parent} DETACH PARTITION ${found.partition} FINALIZE`, { promptly: false });
}

async function find(
  wire: Wire,
  { parent, partition }: Detachment,
): Promise<{ readonly pending: boolean; readonly parent: string; readonly partition: string } | undefined> {
  const nameOf = (oid: string): string =>
    `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ${oid}`;
  const [state, parents, partitions] = await wire.messageAbout(
    [parent, partition],
    [
      `SELECT inhdetachpending FROM pg_inherits WHERE inhparent = ${namedOid(0)} AND inhrelid = ${namedOid(1)}`,
      nameOf(namedOid(0)),
      nameOf(namedOid(1)),
    ].join(';\n'),
  );
  const row = state?.rows[0];
  const name = ([schema, name]: readonly (string | null)[] = []): string => qualified(schema ?? undefined, name ?? '');
  return row && { pending: row[0] === 't', parent: name(parents?.rows[0]), partition: name(partitions?.rows[0]) };
}
