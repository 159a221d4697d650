/** One pinned session: what the engine does to the database goes through it. */
import type { Catalog } from '../../core/catalog/catalog.ts';
import type { Check, Observation, Session } from '../../core/ports.ts';
import { applicationName, type Blocker, type Holder, type RunnerIdentity } from '../../core/runner.ts';
import { cancelUntil, PostgresLock } from './lock/advisory-lock.ts';
import { roleRefused, runCheck, type CheckOptions, type CheckResult } from './tables/check.ts';
import { keysOf, type SessionContext } from './state/context.ts';
import { PostgresExecutor } from './execute/executor.ts';
import { PostgresHistory } from './tables/history.ts';
import { PostgresJournal } from './tables/journal.ts';
import { PostgresTakeover } from './tables/takeover.ts';
import { readCallerSettings, restoreCallerSettings } from './state/caller-settings.ts';
import { cancelLongWait, observe } from './state/observe.ts';
import { BEGIN } from './wire/own-path.ts';
import { isPooled, poolerRefused, requireSessionPooling } from './lock/pooler.ts';
import { resolveRelation, type Relation, type RelationFacts } from './state/relation.ts';
import { chosenStatements, hygiene, setStatement } from './state/settings.ts';
import { serverErrorOf } from './wire/sqlstate.ts';
import type { SessionState } from './connection/connected.ts';
import type { Wire } from './wire/wire.ts';

type SecondSession = <T>(body: (wire: Wire) => Promise<T>, signal?: AbortSignal) => Promise<T>;

export interface SessionOptions {
  readonly wire: Wire;
  readonly address: string;
  readonly check: CheckOptions;
  readonly runner: RunnerIdentity;
  readonly role: string | undefined;
  /** For a caller's client: the application_name to use during the run. */
  readonly borrowedName?: string;
  /** The caller continues to use the session. */
  readonly givesBack: boolean;
  readonly onRefused: (setting: string, reason: string) => void;
  readonly close: (session: SessionState) => Promise<void>;
  readonly interrupt: (session: { readonly busy: boolean }) => Promise<void>;
  readonly allowPooler: boolean;
  /** A second connection, for a moment; absent where there can be none. */
  readonly secondSession?: SecondSession;
}

export class PostgresSession implements Session {
  readonly address: string;
  readonly database: string;
  readonly pid: number;
  readonly lock: PostgresLock;
  readonly history: PostgresHistory;
  readonly journal: PostgresJournal;
  readonly takeover: PostgresTakeover;
  readonly executor: PostgresExecutor;
  readonly #options: SessionOptions;
  readonly #context: SessionContext;
  /** The result of the first check, which opens the session. */
  #first: CheckResult | undefined;
  /** What a check found out about the tables, if they are complete. */
  #known: RelationFacts | undefined;
  #configured = false;

  private constructor(options: SessionOptions, first: CheckResult) {
    this.#options = options;
    this.#first = first;
    this.address = options.address;
    this.database = first.database;
    options.wire.encoding = first.encoding;
    this.pid = first.backendPid;
    // A role that the caller has set is part of the session's original state.
    const role = options.role ?? (options.borrowedName === undefined || first.role === 'none' ? undefined : first.role);
    this.#context = {
      wire: options.wire,
      runner: options.runner,
      settings: { serverSettings: { ...options.check.serverSettings }, role, serverVersion: first.serverVersion },
      callerSettings: undefined,
      relation: this.#resolve(first.facts),
      named: options.check.table.schema !== undefined,
      tenant: options.check.tenant,
      pooled: isPooled(options.wire, first.backendPid),
      role: first.role,
      accepted: new Map(),
      care: first.facts.care ?? 'plain',
    };
    this.lock = new PostgresLock(this.#context);
    this.history = new PostgresHistory(this.#context);
    this.journal = new PostgresJournal(this.#context);
    this.takeover = new PostgresTakeover(this.#context);
    this.executor = new PostgresExecutor(this.#context);
  }

  /** The check is the first message after authentication, and the only one when nothing is pending. */
  static async open(options: SessionOptions): Promise<PostgresSession> {
    const checking = runCheck(options.wire, options.check, { lazy: true });
    makeId(options.runner);
    const first = await checking;
    if (isPooled(options.wire, first.backendPid) && !options.allowPooler) {
      await options.wire.endTransaction();
      throw poolerRefused();
    }
    return new PostgresSession(options, first);
  }

  get lost(): AbortSignal {
    return this.#options.wire.lost;
  }

  get outlivesUs(): boolean {
    return this.#options.borrowedName !== undefined || this.#context.pooled;
  }

  async check(): Promise<Check> {
    const result =
      this.#first ?? (await runCheck(this.#options.wire, this.#options.check, { lazy: false, known: this.#known }));
    this.#first = undefined;
    this.#context.relation = this.#resolve(result.facts);
    if (result.untrusted && !this.#context.relation.inTheWay) throw result.untrusted;
    this.#known = this.#context.relation.complete ? result.facts : undefined;
    return {
      free: result.free,
      holder: result.holder,
      writesRefused: result.writesRefused,
      history: { exists: this.#context.relation.exists, applied: this.#context.relation.exists ? result.applied : [] },
      journal: result.journal,
    };
  }

  #resolve(facts: RelationFacts): Relation {
    const { check, runner } = this.#options;
    return resolveRelation(check.table, facts, { takesOver: runner.command === 'import' });
  }

  async configure(): Promise<void> {
    if (this.#configured) return;
    this.#configured = true;
    const { wire, settings } = this.#context;
    // Until now each message could go to another backend; from here on all must reach the same one.
    if (this.#context.pooled) {
      // Of a tenant the session over all has asked it.
      if (!this.#context.tenant) await requireSessionPooling(wire, this.pid, this.#options.secondSession);
      // RESET ALL would give the session the name that the pooler began it with.
      Object.assign(settings.serverSettings, { application_name: applicationName(this.#context.runner) });
    }
    if (this.#options.borrowedName !== undefined) await this.#inherit(this.#options.borrowedName);
    const wanted = hygiene(settings.serverVersion);
    const refused = await wire
      .transaction('read', [setStatement(wanted)])
      .then(() => new Set<string>())
      .catch((error: unknown) => this.#configureOneByOne(wanted, error));
    this.#context.accepted = new Map([...wanted].filter(([name]) => !refused.has(name)));
    await this.#applyChosen();
    wire.keepAwake();
  }

  /** Hosted servers refuse some settings: the run goes on without them, and reports them. */
  async #configureOneByOne(wanted: ReadonlyMap<string, string>, cause: unknown): Promise<Set<string>> {
    if (!serverErrorOf(cause)) throw cause;
    const refused = new Set<string>();
    for (const [name, value] of wanted) {
      try {
        await this.#context.wire.message(setStatement([[name, value]]));
      } catch (error) {
        const server = serverErrorOf(error);
        if (!server) throw error;
        refused.add(name);
        this.#options.onRefused(name, server.message);
      }
    }
    return refused;
  }

  async #applyChosen(): Promise<void> {
    const { wire, settings } = this.#context;
    const statements = chosenStatements(settings);
    try {
      await wire.transactionAsIs([BEGIN.read, ...statements, 'COMMIT'].join(';\n'));
    } catch (error) {
      throw settings.role === undefined || !serverErrorOf(error) ? error : roleRefused(settings.role, error);
    }
  }

  /** The settings that the client came with are kept over the reset between migrations. */
  async #inherit(name: string): Promise<void> {
    const { wire, settings } = this.#context;
    this.#context.callerSettings = await readCallerSettings(wire);
    Object.assign(settings.serverSettings, this.#context.callerSettings.settings, { application_name: name });
  }

  async observe(signal: AbortSignal): Promise<Observation> {
    const { secondSession } = this.#options;
    return secondSession ? await secondSession((wire) => observe(wire, this.pid), signal) : { blockers: [] };
  }

  async cancelLongWait(limitMs: number, signal: AbortSignal): Promise<readonly Blocker[] | undefined> {
    const { secondSession } = this.#options;
    return secondSession
      ? await secondSession((wire) => cancelLongWait(wire, this.pid, limitMs, signal), signal)
      : undefined;
  }

  async keepWaitersAway(signal: AbortSignal): Promise<readonly Holder[]> {
    const { secondSession } = this.#options;
    if (!secondSession) return [];
    return await secondSession((wire) => cancelUntil(signal, wire, keysOf(this.#context)), signal);
  }

  async readCatalog(): Promise<Catalog> {
    const { readCatalog } = await import('./catalog/read-catalog.ts');
    return await readCatalog(this.#context);
  }

  async readCatalogAgain(): Promise<Catalog> {
    const { readCatalogAgain } = await import('./catalog/read-again.ts');
    return await readCatalogAgain(this.#context);
  }

  async interrupt(): Promise<void> {
    const { wire, interrupt } = this.#options;
    await wire.holdBack(interrupt({ busy: wire.busy }));
  }

  async close(): Promise<void> {
    const { wire, close } = this.#options;
    const { callerSettings: callerSettings, role } = this.#context;
    // It is as good as lost when it does not get its own back.
    if (callerSettings && this.#options.givesBack && !wire.lost.aborted)
      await restoreCallerSettings(wire, callerSettings, role).catch(() => undefined);
    // A pooler drops us before the backend is done, and a caller continues to use the session.
    if (this.outlivesUs) await wire.endTransaction();
    wire.detach();
    const lost = this.lost.aborted;
    await close({
      untouched: !this.#configured && !lost && !wire.owesRollback,
      idle: !lost && !wire.busy && !wire.owesRollback && !this.lock.mayHold,
    });
  }
}

/**
 * The run's id is created on first use. Node's crypto module is slow to load, so this happens while the server works.
 */
function makeId(runner: RunnerIdentity): string {
  return runner.run;
}
