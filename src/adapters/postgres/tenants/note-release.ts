/** Records the release in many schemas that have nothing to do, as a run in one of them alone records it. */
import type { RunnerIdentity } from '../../../core/runner.ts';
import { journalName } from '../state/relation.ts';
import { journalInsert } from '../tables/journal-entries.ts';
import { NOTE_LOCK_TIMEOUT_MS } from '../tables/journal.ts';
import { qualified } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';
import type { SchemaFacts } from './schemas.ts';
import { inSegments, type SegmentUse } from './segments.ts';

/** Best effort; resolves with schemas in which it may still succeed alone. */
export async function noteReleaseIn(
  wire: Wire,
  facts: readonly SchemaFacts[],
  { runner, ...options }: Pick<SegmentUse, 'table' | 'role'> & { readonly runner: RunnerIdentity },
): Promise<readonly string[]> {
  const { answers } = await inSegments(
    wire,
    facts.filter(({ oids, isWritable }) => oids && isWritable),
    {
      ...options,
      access: 'write',
      lockTimeoutMs: NOTE_LOCK_TIMEOUT_MS,
      statements: (schemas) => [
        'SET LOCAL synchronous_commit = off',
        ...schemas.map((schema) =>
          journalInsert(qualified(schema, journalName(options.table)), runner, { event: 'release seen' }),
        ),
      ],
    },
  );
  return answers.flatMap(({ segment, result }) => (result ? [] : segment.map(({ schema }) => schema)));
}
