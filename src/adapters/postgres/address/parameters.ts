/** The keywords of the address and the environment. Reading one removes it, so that none is ignored by mistake. */
import { nearest } from '../../../core/text/nearest.ts';
import type { Conninfo } from './conninfo.ts';
import { REFUSED, VARIABLES } from './keywords.ts';

interface Value {
  readonly text: string;
  /** The keyword or the variable, as shown in problems. */
  readonly from: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export class Parameters {
  readonly problems: string[] = [];
  readonly #values = new Map<string, Value>();

  /** An empty value counts as unset: charts and compose files write "not set" this way. */
  constructor(address: Conninfo, env: Environment) {
    for (const [keyword, variable] of Object.entries(VARIABLES)) this.#put(keyword, env[variable], variable);
    for (const [keyword, text] of address) this.#put(keyword, text, keyword);
  }

  /** Removes a keyword and returns its value. */
  text(keyword: string): string | undefined {
    const value = this.#values.get(keyword);
    this.#values.delete(keyword);
    return value?.text;
  }

  oneOf<const T extends string, const D extends T | undefined>(
    keyword: string,
    allowed: readonly T[],
    fallback: D,
  ): T | D {
    const from = this.from(keyword);
    const text = this.text(keyword);
    if (text === undefined) return fallback;
    const found = allowed.find((word) => word === text);
    if (found !== undefined) return found;
    const meant = nearest(text, allowed);
    this.problems.push(
      `${from}: must be one of ${allowed.join(', ')}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`,
    );
    return fallback;
  }

  /** Negative numbers count as zero, as in libpq. */
  wholeNumber(keyword: string, fallback: number): number {
    const from = this.from(keyword);
    const text = this.text(keyword);
    if (text === undefined) return fallback;
    if (/^\s*[+-]?\d{1,9}\s*$/.test(text)) return Math.max(0, Number(text));
    this.problems.push(`${from}: must be a whole number`);
    return fallback;
  }

  /** A comma-separated list; undefined if the keyword is absent. */
  list(keyword: string): string[] | undefined {
    return this.text(keyword)
      ?.split(',')
      .map((one) => one.trim());
  }

  /** The name of a keyword in problems: the variable if its value comes from there. */
  from(keyword: string): string {
    return this.#values.get(keyword)?.from ?? keyword;
  }

  /** Removes unsupported keywords and reports them. */
  refuse(): void {
    for (const [keyword, { harmless = [], why }] of Object.entries(REFUSED)) {
      const from = this.from(keyword);
      const text = this.text(keyword);
      if (text !== undefined && !harmless.includes(text.toLowerCase())) this.problems.push(`${from}: ${why}`);
    }
  }

  /** Removes and returns all remaining keywords. */
  rest(): ReadonlyMap<string, string> {
    const rest = new Map([...this.#values].map(([keyword, { text }]) => [keyword, text]));
    this.#values.clear();
    return rest;
  }

  #put(keyword: string, text: string | undefined, from: string): void {
    if (text !== undefined && text !== '') this.#values.set(keyword, { text, from });
  }
}
