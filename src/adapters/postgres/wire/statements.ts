/** Statements of one message, some of which have a name by which their rows are found in the answer. */
import type { ResultSet } from './simple-query.ts';

export class Statements {
  readonly #texts: string[] = [];
  readonly #names = new Map<string, number>();

  add(sql: string, name?: string): this {
    if (name !== undefined) this.#names.set(name, this.#texts.length);
    this.#texts.push(sql);
    return this;
  }

  get text(): string {
    return this.#texts.join(';\n');
  }

  /** Undefined when the message failed before it. */
  result(name: string, results: readonly ResultSet[]): ResultSet | undefined {
    return results[this.#names.get(name) ?? -1];
  }

  /** The name of the statement after `finished` others. */
  nameAt(finished: number): string | undefined {
    return [...this.#names].find(([, index]) => index === finished)?.[0];
  }
}
