/** The database with many schemas: sessions that work in one after the other, over one connection each. */
import type { Database, Reporter } from '../../../core/ports.ts';
import { applicationName, type RunnerIdentity } from '../../../core/runner.ts';
import type { TenantCheck, TenantDatabase, TenantSession, TenantsLook } from '../../../core/tenants/ports.ts';
import { whenAborted } from '../../../core/until-aborted.ts';
import type { Connected, SessionState } from '../connection/connected.ts';
import { PostgresDatabase, withSecondSession, type DatabaseOptions } from '../database.ts';
import { isPooled, poolerRefused, requireSessionPooling } from '../lock/pooler.ts';
import { derivedKey, ORIGINAL_KEY, ORIGINAL_TABLE } from '../state/relation.ts';
import { hygiene, RESET_STATEMENTS, setStatement } from '../state/settings.ts';
import { identifier } from '../wire/sql.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import { Wire } from '../wire/wire.ts';
import { Gate } from './gate.ts';
import { lookAtSchemas } from './look.ts';
import { noteReleaseIn } from './note-release.ts';
import { readSchemas, type SchemaFacts, type SchemasOptions, type SchemasResult } from './schemas.ts';

export class PostgresTenants implements TenantDatabase {
  readonly #options: DatabaseOptions;

  constructor(options: DatabaseOptions) {
    this.#options = options;
  }

  async secretChanged(signal: AbortSignal): Promise<void> {
    await this.#options.secretChanged?.(signal);
  }

  async open(runner: RunnerIdentity, signal: AbortSignal): Promise<TenantSession> {
    const { connect, table, role, allowPooler } = this.#options;
    const connected = await connect(applicationName(runner), signal);
    const wire = new Wire(connected.client);
    const stopListening = whenAborted(signal, () => wire.giveUp(signal.reason));
    try {
      const { serverSettings } = connected;
      const recordedKey = (schema: string): string =>
        table.name === ORIGINAL_TABLE ? ORIGINAL_KEY : derivedKey(schema, table.name);
      const reading: SchemasOptions = { serverSettings, role, table: table.name, recordedKey };
      const first = await readSchemas(wire, reading);
      if (isPooled(wire, first.backendPid) && !allowPooler) throw poolerRefused();
      return new PostgresTenantSession({ database: this.#options, connected, wire, reading, runner }, first);
    } catch (error) {
      wire.detach();
      await connected.release({ untouched: false, idle: false });
      throw error;
    } finally {
      stopListening();
    }
  }
}

interface Opened {
  readonly database: DatabaseOptions;
  readonly connected: Connected;
  readonly wire: Wire;
  readonly reading: SchemasOptions;
  readonly runner: RunnerIdentity;
}

class PostgresTenantSession implements TenantSession {
  readonly address: string;
  readonly database: string;
  readonly pid: number;
  readonly outlivesUs = false;
  readonly gate: Gate | undefined;
  readonly #opened: Opened;
  readonly #first: SchemasResult;
  /** What the newest check found; read again once a look has used it. */
  #newest: SchemasResult;
  #used = false;
  #settings = '';
  /** The session of a schema is being opened. */
  #opening = false;

  constructor(opened: Opened, first: SchemasResult) {
    this.#opened = opened;
    this.#first = first;
    this.#newest = first;
    this.address = opened.connected.address;
    this.database = first.database;
    this.pid = first.backendPid;
    this.gate = opened.reading.table === ORIGINAL_TABLE ? new Gate(opened.wire, ORIGINAL_KEY) : undefined;
  }

  get lost(): AbortSignal {
    return this.#opened.wire.lost;
  }

  async check(): Promise<TenantCheck> {
    const { facts, isStandby, isReadOnly } = await this.#schemas();
    return { candidates: facts, writesRefused: isStandby ? 'standby' : isReadOnly ? 'read-only' : undefined };
  }

  async #schemas(): Promise<SchemasResult> {
    if (this.#used) this.#newest = await readSchemas(this.#opened.wire, this.#opened.reading);
    this.#used = false;
    return this.#newest;
  }

  async look(schemas: readonly string[]): Promise<TenantsLook> {
    const { wire, reading, runner } = this.#opened;
    const { facts } = await this.#schemas();
    this.#used = true;
    const present = new Set(facts.map(({ schema }) => schema));
    const { looks, holders } = await lookAtSchemas(wire, only(schemas, facts), { ...reading, release: runner.release });
    return { looks, present, alone: this.gate && holders.get(this.gate.key) };
  }

  async noteRelease(schemas: readonly string[]): Promise<readonly string[]> {
    if (schemas.length === 0) return [];
    const { wire, reading, runner } = this.#opened;
    return await noteReleaseIn(wire, only(schemas, this.#newest.facts), { ...reading, runner });
  }

  /** A dead run frees its locks in seconds; what the server refuses, the session of a schema reports. */
  async configure(): Promise<void> {
    if (this.#settings !== '') return;
    const { wire, database, runner } = this.#opened;
    const settings = new Map(hygiene(this.#first.serverVersion));
    if (isPooled(wire, this.pid)) {
      // Until now each message could go to another backend; from here on all must reach the same one.
      const { second } = database;
      await requireSessionPooling(wire, this.pid, second && ((body) => withSecondSession(second, body)));
      // RESET ALL gives the session the name that the pooler began it with.
      settings.set('application_name', applicationName(runner));
    }
    this.#settings = setStatement(settings);
    await wire.asIs(this.#settings).catch((error: unknown) => {
      if (!serverErrorOf(error)) throw error;
      this.#settings = 'SELECT 1';
    });
  }

  tenant(schema: string, reporter: Reporter): Database {
    const { database, reading } = this.#opened;
    const { table } = reading;
    const one = new PostgresDatabase({
      ...database,
      connect: (_name, signal) => this.#lend(schema, signal),
      table: { schema, name: table },
      lockKey: BigInt(derivedKey(schema, table)),
      tenant: { recordedKey: reading.recordedKey(schema), gateKey: this.gate?.key },
      reporter,
    });
    return {
      secretChanged: (signal) => one.secretChanged(signal),
      open: async (runner, signal) => {
        this.#opening = true;
        return await one.open(runner, signal).finally(() => (this.#opening = false));
      },
    };
  }

  searchPathOf(schema: string): string {
    const rest = this.#first.searchPath.trim();
    return [identifier(schema), ...(rest === '' || rest === '""' ? [] : [rest])].join(', ');
  }

  async #lend(schema: string, signal: AbortSignal): Promise<Connected> {
    signal.throwIfAborted();
    this.lost.throwIfAborted();
    const { connected } = this.#opened;
    const serverSettings = { ...connected.serverSettings, search_path: this.searchPathOf(schema) };
    return { ...connected, serverSettings, release: (state) => this.#takeBack(state) };
  }

  /** What the migrations of one schema have left in the session is nothing for the next. */
  async #takeBack({ untouched, idle }: SessionState): Promise<void> {
    if (untouched || this.lost.aborted) return;
    const { wire } = this.#opened;
    // A check that is refused has changed nothing, but is in a failed transaction.
    const reset = this.#opening ? ['ROLLBACK'] : [...RESET_STATEMENTS, this.#settings];
    const clean = async (): Promise<boolean> =>
      await wire.asIs(reset.join(';\n')).then(
        () => true,
        () => false,
      );
    if (!((idle || this.#opening) && (await clean()))) await this.#hangUp(false);
  }

  async interrupt(): Promise<void> {
    const { wire, connected } = this.#opened;
    if (!wire.busy) return;
    await wire.holdBack(connected.interrupt({ busy: wire.busy }));
  }

  async close(): Promise<void> {
    const { wire } = this.#opened;
    await wire.endTransaction();
    await this.#hangUp(!this.lost.aborted && !wire.busy);
  }

  async #hangUp(idle: boolean): Promise<void> {
    const { wire, connected } = this.#opened;
    wire.detach();
    if (!this.lost.aborted) await connected.release({ untouched: false, idle });
    wire.giveUp(new Error('the session has ended'));
  }
}

function only(schemas: readonly string[], facts: readonly SchemaFacts[]): SchemaFacts[] {
  const wanted = new Set(schemas);
  return facts.filter(({ schema }) => wanted.has(schema));
}
