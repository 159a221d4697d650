/** `-- lockstep: allow=<rule>: <reason>`: what a file allows itself, and why. */
import type { Statement } from '../sql/statements.ts';
import { tokensOf } from '../sql/tokens.ts';
import { nearest } from '../text/nearest.ts';
import { skipBlank } from '../text/sql-text.ts';

interface Allowed {
  readonly rule: string;
  readonly offset: number;
  /** Undefined for the whole file. */
  readonly statement: Statement | undefined;
  used: boolean;
}

interface AllowRemark {
  readonly severity: 'error' | 'warning';
  readonly offset: number;
  readonly message: string;
}

const AFTER_THE_END = 'this allows nothing, because no statement follows: write it above its statement';
const COMMENT = /^--\s*lockstep\s*:\s*allow\b\s*=?\s*(?<rules>[^:]*)(?::(?<reason>.*))?$/i;

export class Allows {
  readonly #all: Allowed[] = [];
  readonly #remarks: AllowRemark[] = [];

  constructor(text: string, statements: readonly Statement[]) {
    if (!/lockstep\s*:\s*allow/i.test(text)) return;
    const body = skipBlank(text, 0);
    for (const { kind, start, end } of tokensOf(text)) {
      const groups = kind === 'comment' ? COMMENT.exec(text.slice(start, end).trim())?.groups : undefined;
      if (!groups) continue;
      const statement = start < body ? undefined : statements.find((one) => one.end > start);
      if (start < body || statement) this.#add(groups, { offset: start, statement, used: false });
      else this.#remarks.push({ severity: 'warning', offset: start, message: AFTER_THE_END });
    }
  }

  /** Whether a comment allows the rule there. */
  covers(rule: string, statement: Statement): boolean {
    const found = this.#all.filter((one) => one.rule === rule && (one.statement ?? statement) === statement);
    for (const one of found) one.used = true;
    return found.length > 0;
  }

  /** What is wrong with the comments, once every rule has been asked; `ids` are all rules, `off` those that are not asked. */
  remarks(ids: readonly string[], off: ReadonlySet<string>): readonly AllowRemark[] {
    const idle = this.#all.filter(({ used, rule }) => !used && !off.has(rule));
    return [
      ...this.#remarks,
      ...idle.map((one) => ({ ...one, severity: 'warning' as const, message: whyIdle(one, ids) })),
    ];
  }

  #add({ rules = '', reason = '' }: Readonly<Record<string, string>>, place: Omit<Allowed, 'rule'>): void {
    const names = rules.split(',').map((name) => name.trim());
    if (names.includes('') || reason.trim() === '') {
      const message = 'write "-- lockstep: allow=RULE: REASON": the reason is for whoever reads the file next';
      this.#remarks.push({ severity: 'error', offset: place.offset, message });
    }
    for (const rule of names) if (rule !== '') this.#all.push({ ...place, rule });
  }
}

function whyIdle({ rule, statement }: Allowed, ids: readonly string[]): string {
  if (ids.includes(rule)) {
    const where = statement ? 'the statement after it' : 'the file';
    return `this allows nothing, because ${where} does not break the rule ${rule}: remove it`;
  }
  const guess = nearest(rule, ids);
  return `there is no rule ${JSON.stringify(rule)}${guess === undefined ? '' : `; did you mean "${guess}"?`}`;
}
