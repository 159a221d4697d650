/** One runner of the random walk: the acts on it, and whether its result is allowed. */
import { expect } from 'chai';

import { startCli, type CliProcess, type CliResult } from '../../support/cli.ts';
import type { WireProxy } from '../../support/wire-proxy.ts';
import { expectDocumented, LOST } from './aftermath.ts';
import type { Release } from './walk-plan.ts';

/** The facts that decide which results are allowed. */
type Fate = 'killed' | 'interrupted' | 'lost its connection';

/** The server may end a session after 30 s, and an answer may be overdue after 30 s; this is well below both. */
const LONG_FREEZE_MS = 20_000;
/** No runner of a walk waits this long for the lock unless it is stuck. */
const STUCK_MS = 120_000;

interface WalkerPlace {
  readonly env: Readonly<Record<string, string>>;
  readonly proxy: WireProxy;
  readonly release: Release;
}

export class Walker {
  readonly name: string;
  readonly release: Release;
  readonly exited: Promise<CliResult>;
  readonly #run: CliProcess;
  readonly #proxy: WireProxy;
  readonly #messagesBefore: number;
  readonly #fates = new Set<Fate>();
  #online = false;
  #ended = false;
  #frozenAt: number | undefined;
  #longestFreezeMs = 0;
  #interruptedAt: number | undefined;

  constructor(name: string, { env, proxy, release }: WalkerPlace) {
    this.name = name;
    this.release = release;
    this.#proxy = proxy;
    this.#messagesBefore = proxy.messages.length;
    this.#run = startCli(['up'], {
      env: { ...env, DATABASE_URL: proxy.url, LOCKSTEP_POD: name, LOCKSTEP_RELEASE: `walk@${release}` },
      timeoutMs: STUCK_MS,
    });
    this.exited = this.#run.exited.finally(() => (this.#ended = true));
    this.exited.catch(() => undefined);
  }

  /** Neither ended nor frozen. */
  get moves(): boolean {
    return !this.#ended && this.#frozenAt === undefined;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get isFrozen(): boolean {
    return this.#frozenAt !== undefined;
  }

  get wasTold(): boolean {
    return this.#fates.has('interrupted');
  }

  /** Before this, a signal would hit Node before it has loaded the program, and a cut would find no connection. */
  get isOnline(): boolean {
    // Messages of the previous runner may pass only now.
    this.#online ||= this.#proxy.messages
      .slice(this.#messagesBefore)
      .some(({ type, text }) => type === 'startup' && text.split(' ').includes(this.name));
    return this.#online && !this.#ended;
  }

  loses(): void {
    this.#fates.add('lost its connection');
  }

  kill(): void {
    this.#fates.add('killed');
    this.#frozenAt = undefined;
    this.#run.kill('SIGKILL');
  }

  tellToStop(): void {
    this.#fates.add('interrupted');
    this.#interruptedAt = performance.now();
    this.#run.kill('SIGTERM');
  }

  freeze(): void {
    this.#frozenAt = performance.now();
    this.#run.kill('SIGSTOP');
  }

  thaw(): void {
    if (this.#frozenAt === undefined) return;
    const frozenMs = performance.now() - this.#frozenAt;
    this.#longestFreezeMs = Math.max(this.#longestFreezeMs, frozenMs);
    this.#frozenAt = undefined;
    if (this.#interruptedAt !== undefined) this.#interruptedAt += frozenMs;
    this.#run.kill('SIGCONT');
  }

  /** The time from SIGTERM to the end, without freezes. */
  stoppedAfterMs({ exitedAt, code }: CliResult): number | undefined {
    return this.#interruptedAt === undefined || code !== 143 ? undefined : exitedAt - this.#interruptedAt;
  }

  get wasOnlyToldToStop(): boolean {
    return this.#fates.size === 1 && this.#fates.has('interrupted') && this.#longestFreezeMs === 0;
  }

  expectGoodEnd(result: CliResult): void {
    if (result.signal === 'SIGKILL' && this.#fates.has('killed')) return;
    // Node removes its signal handlers a moment before its process ends; the run has finished by then.
    if (
      result.signal === 'SIGTERM' &&
      this.wasTold &&
      result.logs.some(({ event }) => event === 'run.finished' || event === 'run.failed')
    )
      return;
    const allowed = [0];
    if (this.#fates.has('interrupted')) allowed.push(143);
    if (this.#fates.has('lost its connection') || this.#longestFreezeMs > LONG_FREEZE_MS) allowed.push(...LOST);
    expectDocumented(`${this.name} (${[...this.#fates].join(', ') || 'nothing happened to it'})`, result, allowed);
    expect(result.stderr, `log of ${this.name}`).to.not.include('"level":"fatal"');
  }
}

/** The versions that a run reports as applied. */
export function appliedBy({ logs }: CliResult): string[] {
  return logs.filter(({ event }) => event === 'migration.applied').map((line) => String(line['version']));
}
