/** Does `validate` foresee what a file has done to tables that were there before? */
import type { Migration } from '../../core/migration.ts';
import type { Unforeseen } from '../../core/reports.ts';
import { CLAIMS } from '../../core/rules/claims.ts';
import { Directory } from '../../core/rules/directory.ts';
import { review } from '../../core/rules/review.ts';
import { RULES } from '../../core/rules/rules.ts';
import type { TableLock } from '../../core/scratch.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { analyze } from '../apply/analyze.ts';

export class Foresight {
  readonly #parser: SqlParser;
  readonly #directory = new Directory();

  constructor(parser: SqlParser) {
    this.#parser = parser;
  }

  /**
   * The migrations come in their order. An index that is built at once takes SHARE; stronger locks are also taken for a
   * moment, by what no rule has to find.
   */
  async unforeseen(
    { up }: Migration,
    { locks = [], rewritten }: { readonly locks?: readonly TableLock[]; readonly rewritten: readonly string[] },
  ): Promise<readonly Unforeseen[]> {
    this.#directory.begin({ direction: 'up', pending: false });
    const { parsed } = await analyze(up, 'up', this.#parser);
    const found = parsed ? review({ ...parsed, direction: 'up', reversible: true }, RULES, this.#directory) : [];
    const claims = found.flatMap(({ rule }) => CLAIMS[rule.id] ?? []).filter((claim) => 'lock' in claim);
    const rewrites = claims.some(
      ({ lock, work }) => lock === 'ACCESS EXCLUSIVE' && (work ?? 'rewrites') === 'rewrites',
    );
    return [
      ...(rewrites ? [] : rewritten.map((table) => ({ table, what: 'rewrite' }) as const)),
      ...(claims.length > 0
        ? []
        : locks.flatMap(({ table, lock }) => (lock === 'SHARE' ? ({ table, what: 'index build' } as const) : []))),
    ];
  }
}
