/** Asks the rules of `validate` about a series of files. */
import { expect } from 'chai';

import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { parseDirectives } from '../../src/core/migration.ts';
import { Directory } from '../../src/core/rules/directory.ts';
import { findingsOfRules, type Found } from '../../src/core/rules/findings.ts';
import type { RuleLevels } from '../../src/core/rules/levels.ts';
import { RULES } from '../../src/core/rules/rules.ts';
import { analyze } from '../../src/engine/apply/analyze.ts';

const parser = createSqlParser();

/** Every rule is asked, also those of style. */
export const EVERY: RuleLevels = new Map(RULES.map(({ id }) => [id, 'warning']));

export interface Asked {
  readonly levels?: RuleLevels;
  readonly file?: string;
  /** Whether the files before have not run either. */
  readonly pending?: boolean;
}

/** What is found in the last of these files, each of which knows the ones before. */
export async function findingsIn(
  texts: readonly string[],
  { levels = new Map(), file = '1_x.up.sql', pending = false }: Asked = {},
): Promise<readonly Found[]> {
  const directory = new Directory();
  const direction = file.endsWith('.down.sql') ? 'down' : 'up';
  let found: readonly Found[] = [];
  for (const text of texts) {
    directory.begin({ direction, pending });
    const script = { file, text, checksum: '', directives: parseDirectives(text).directives };
    const { parsed, syntaxError } = await analyze(script, direction, parser);
    expect(syntaxError?.message, text).to.equal(undefined);
    found = parsed
      ? findingsOfRules({ ...parsed, direction, reversible: script.directives.irreversible }, levels, directory)
      : [];
  }
  return found;
}

export async function rulesIn(texts: readonly string[], asked: Asked = {}): Promise<string[]> {
  return (await findingsIn(texts, asked)).map(({ rule }) => rule);
}
