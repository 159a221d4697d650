/** Counts the runs of a random walk by result, and its acts by whether they hit a runner. */
import type { CliResult } from '../../support/cli.ts';

export class WalkTally {
  readonly #runs = new Map<string, number>();
  readonly #struck = new Map<string, number>();
  readonly #missed = new Map<string, number>();
  #longestStopMs = 0;
  #rounds = 0;

  act(kind: string, struck: string | undefined): void {
    add(struck === undefined ? this.#missed : this.#struck, kind);
  }

  ended({ code, signal }: CliResult, stoppedAfterMs: number | undefined): void {
    add(this.#runs, signal ?? `exit ${code}`);
    this.#longestStopMs = Math.max(this.#longestStopMs, stoppedAfterMs ?? 0);
  }

  round(): void {
    this.#rounds += 1;
  }

  get struckKinds(): readonly string[] {
    return [...this.#struck.keys()];
  }

  describe(): string {
    const runs = [...this.#runs.values()].reduce((sum, count) => sum + count, 0);
    return [
      `${this.#rounds} rounds, ${runs} runs: ${listed(this.#runs)}`,
      `struck: ${listed(this.#struck)}`,
      `nobody there: ${listed(this.#missed)}`,
      `the slowest to end after SIGTERM took ${(this.#longestStopMs / 1000).toFixed(1)} s`,
    ].join('\n');
  }
}

function add(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function listed(counts: ReadonlyMap<string, number>): string {
  return (
    [...counts]
      .sort()
      .map(([what, count]) => `${count} ${what}`)
      .join(', ') || 'none'
  );
}
