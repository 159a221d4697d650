/** Lets each file that runs in one transaction tell which locks it has at its end. */
import { checksum, type Migration, type Script } from '../../core/migration.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { analyze } from '../apply/analyze.ts';

export async function withWitness(
  migrations: readonly Migration[],
  witness: string,
  parser: SqlParser,
): Promise<readonly Migration[]> {
  const others: Migration[] = [];
  for (const migration of migrations) others.push({ ...migration, up: await watched(migration.up, witness, parser) });
  return others;
}

/** Unchanged where it runs statement by statement, or cannot be read. */
async function watched(script: Script, witness: string, parser: SqlParser): Promise<Script> {
  const { plan } = await analyze(script, 'up', parser);
  if (plan.mode !== 'transaction' || plan.pieces.some(({ unread }) => unread)) return script;
  const parsed = await parser.parse(script.text);
  const last = parsed.ok ? parsed.statements.at(-1) : undefined;
  if (!last) return script;
  // A file in BEGIN and COMMIT of its own has to end with it.
  const text =
    last.kind === 'TransactionStmt'
      ? `${script.text.slice(0, last.start)}${witness};\n${script.text.slice(last.start)}`
      : `${script.text}\n;${witness}`;
  return { ...script, text, checksum: checksum(text) };
}
