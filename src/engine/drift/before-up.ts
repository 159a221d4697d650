/** `up --drift`: has the database been changed behind the migrations, before it applies more of them? */
import { mentions } from '../../core/catalog/mentions.ts';
import { describeDifference } from '../../core/catalog/describe.ts';
import type { Migration } from '../../core/migration.ts';
import type { Session } from '../../core/ports.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { differencesFrom, driftError, type Expected } from './drift.ts';

export interface LookBefore extends Expected {
  readonly level: 'warn' | 'fail';
}

/**
 * A warning for each difference; the kept schema has what the pending files make, so what they name is left out.
 * @throws MigratorError DRIFTED instead, where that is asked.
 */
export async function lookForDrift(
  session: Session,
  pending: readonly Migration[],
  { level, ...expected }: LookBefore,
  parser: SqlParser,
): Promise<readonly string[]> {
  const texts = pending.map(({ up }) => up.text);
  const differences = (await differencesFrom(expected, await session.readCatalog(), parser)).filter(
    ({ object, note }) => note !== true && !mentions(texts, object),
  );
  const error = driftError(differences);
  if (error && level === 'fail') throw error;
  return differences.map((difference) => `drift: ${describeDifference(difference)}`);
}
