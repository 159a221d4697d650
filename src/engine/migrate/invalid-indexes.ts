/** Finds INVALID indexes of applied files: another runner may have recorded a concurrent build that failed. */
import type { Migration, Version } from '../../core/migration.ts';
import type { Session } from '../../core/ports.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { analyze } from '../apply/analyze.ts';

const quoted = (name: string): string => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** Index names by version, as the files write them. Only files that build an index concurrently are parsed. */
export async function invalidIndexes(
  applied: readonly Migration[],
  session: Session,
  parser: SqlParser,
): Promise<ReadonlyMap<Version, readonly string[]>> {
  const found = new Map<Version, readonly string[]>();
  const files = applied.filter(({ up: { text } }) => /\bconcurrently\b/i.test(text));
  // Sets the search_path that a run has.
  if (files.length > 0) await session.configure();
  for (const { version, up } of files) {
    const { plan } = await analyze(up, 'up', parser);
    const built = (plan.mode === 'statements' ? plan.units : [])
      .flatMap(({ concurrentIndexes }) => concurrentIndexes)
      .filter(({ action }) => action === 'create');
    const names: string[] = [];
    for (const index of built)
      if ((await session.executor.indexState(index)) === 'invalid')
        names.push([index.schema, index.name].flatMap((name) => (name === undefined ? [] : quoted(name))).join('.'));
    if (names.length > 0) found.set(version, names);
  }
  return found;
}
