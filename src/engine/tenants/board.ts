/** Which schema is next? What is taken comes back later, and what may pass by itself is tried once more at the end. */
import { MigratorError } from '../../core/errors.ts';
import type { Clock, Reporter } from '../../core/ports.ts';
import { describeHolder, type Holder } from '../../core/runner.ts';
import type { TenantSession, TenantsLook } from '../../core/tenants/ports.ts';
import type { TenantResult } from '../../core/tenants/report.ts';
import type { Standings } from '../../core/tenants/standing.ts';
import { jitter } from '../session/jitter.ts';
import { mayPass, type Taken } from './one-tenant.ts';

const POLL_MS = 1_000;
const FIRST_REPORT_MS = 5_000;
const REPORT_EVERY_MS = 30_000;

export interface BoardOptions {
  readonly standings: Standings;
  readonly lockWaitMs: number;
  readonly failFast: boolean;
  readonly signal: AbortSignal;
}

export class Board {
  readonly results = new Map<string, TenantResult>();
  readonly #options: BoardOptions;
  readonly #ports: { readonly clock: Clock; readonly reporter: Reporter };
  #queue: string[] = [];
  readonly #taken = new Map<string, Holder | undefined>();
  /** Failed once, to be tried again. */
  readonly #again = new Set<string>();
  /** Not to be tried again. */
  readonly #tried = new Set<string>();
  #looking: Promise<void> | undefined;
  #waitingSince: number | undefined;
  #nextReportMs = FIRST_REPORT_MS;
  #stopped = false;

  constructor(options: BoardOptions, ports: { readonly clock: Clock; readonly reporter: Reporter }) {
    this.#options = options;
    this.#ports = ports;
  }

  /** How many are to be worked in, now or later. */
  get open(): number {
    return this.#queue.length + this.#taken.size;
  }

  get work(): readonly string[] {
    return this.#queue;
  }

  /** Sorts schemas by what is to be done in them. `noted`: those that know the release since the look. */
  sort(schemas: readonly string[], look: TenantsLook, noted: ReadonlySet<string> = new Set()): void {
    const sorted = new Set(schemas);
    this.#queue = this.#queue.filter((schema) => !sorted.has(schema));
    for (const schema of schemas) {
      const standing = this.#options.standings.of(schema, look);
      this.#taken.delete(schema);
      if (standing === 'taken') this.#taken.set(schema, look.looks.get(schema)?.holder);
      else if (standing === 'gone') this.settle({ schema, state: 'gone' });
      else if (standing === 'up to date' || noted.has(schema)) this.settle({ schema, state: 'up to date' });
      else this.#queue.push(schema);
    }
  }

  /** Several runs begin at different schemas: so they meet less often. */
  rotate(): void {
    const at = Math.floor(this.#ports.clock.random() * this.#queue.length);
    this.#queue = [...this.#queue.slice(at), ...this.#queue.slice(0, at)];
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Undefined when nothing is left to do. @throws MigratorError when this session can look no more. */
  async next(session: TenantSession): Promise<string | undefined> {
    for (;;) {
      if (this.#stopped || this.#options.signal.aborted) return undefined;
      const schema = this.#queue.shift();
      if (schema !== undefined) return schema;
      if (this.#looking) await this.#looking.catch(() => undefined);
      else if (this.#taken.size > 0) {
        this.#looking = this.#lookAgain(session).finally(() => (this.#looking = undefined));
        await this.#looking;
      } else if (this.#again.size === 0) return undefined;
      else {
        this.#queue = [...this.#again];
        for (const one of this.#again) this.#tried.add(one);
        this.#again.clear();
      }
    }
  }

  settle(result: TenantResult | Taken): void {
    if ('taken' in result) {
      this.#taken.set(result.schema, result.taken.details.holder);
      return;
    }
    const { schema, state, outcome, error } = result;
    const again = error !== undefined && mayPass(error) && !this.#tried.has(schema);
    if (again) this.#again.add(schema);
    this.results.set(schema, result);
    const { reporter } = this.#ports;
    this.#waitingSince = undefined;
    if (error) {
      reporter.report({ type: 'tenant.failed', schema, error, again });
      if (this.#options.failFast && !again) this.stop();
    } else if (state === 'gone') reporter.report({ type: 'tenant.gone', schema });
    else if (state === 'done' && outcome && !outcome.dryRun) {
      const direction = outcome.command === 'down' ? 'down' : 'up';
      const versions = outcome.done.map(({ version }) => version);
      reporter.report({ type: 'tenant.done', schema, direction, versions, durationMs: outcome.durationMs });
    }
  }

  async #lookAgain(session: TenantSession): Promise<void> {
    const { clock, reporter } = this.#ports;
    const { lockWaitMs, signal } = this.#options;
    const waitedMs = clock.now() - (this.#waitingSince ??= clock.now());
    const schemas = [...this.#taken.keys()];
    if (waitedMs >= lockWaitMs) {
      for (const [schema, holder] of this.#taken) {
        this.#tried.add(schema);
        this.settle({ schema, state: 'failed', error: this.#timeout(holder) });
      }
      this.#taken.clear();
      return;
    }
    if (waitedMs >= this.#nextReportMs) {
      this.#nextReportMs = waitedMs + REPORT_EVERY_MS;
      reporter.report({ type: 'tenants.waiting', schemas, waitedMs, holder: this.#taken.values().next().value });
    }
    await clock.sleep(Math.min(jitter(clock, POLL_MS), lockWaitMs - waitedMs), signal);
    if (!signal.aborted) this.sort(schemas, await session.look(schemas));
  }

  #timeout(holder: Holder | undefined): MigratorError {
    const by = holder ? `held by ${describeHolder(holder)}` : 'other sessions keep trying for it';
    return new MigratorError(
      'LOCK_TIMEOUT',
      `its lock was not free within --lock-wait=${this.#options.lockWaitMs / 1000}s: ${by}`,
      { holder, hint: 'wait for that runner and run again' },
    );
  }
}
