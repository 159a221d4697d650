/** Reads a script with the parser, and says how it will be run. */
import type { Direction, Script } from '../../core/migration.ts';
import { readScript } from '../../core/sql/read-script.ts';
import { planScript, type AnalyzedScript } from '../../core/sql/script-analysis.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';

export async function analyze(script: Script, direction: Direction, parser: SqlParser): Promise<AnalyzedScript> {
  const reader = readScript(script.text);
  let step = reader.next();
  while (step.done !== true) step = reader.next(await parser.parse(step.value));
  return planScript(step.value, script.directives, direction);
}
