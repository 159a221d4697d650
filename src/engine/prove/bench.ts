/** One scratch database, and the session that looks at it. */
import type { Catalog } from '../../core/catalog/catalog.ts';
import type { Version } from '../../core/migration.ts';
import type { Session } from '../../core/ports.ts';
import type { Scratch } from '../../core/scratch.ts';
import { migrate } from '../migrate/migrate.ts';
import type { Request } from '../migrate/request.ts';
import { connect } from '../session/connect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import type { ProveOptions, ProvePorts } from './options.ts';

export class Bench {
  readonly #options: ProveOptions;
  readonly #ports: ProvePorts;
  readonly #scratch: Scratch;
  readonly #session: Session;

  private constructor(options: ProveOptions, ports: ProvePorts, scratch: Scratch, session: Session) {
    this.#options = options;
    this.#ports = ports;
    this.#scratch = scratch;
    this.#session = session;
  }

  static async open(options: ProveOptions, ports: ProvePorts, scratch: Scratch): Promise<Bench> {
    const { session } = await connect({ ...options, writes: false }, { ...ports, ...scratch }, options.signal);
    return new Bench(options, ports, scratch, session);
  }

  async up(version: Version): Promise<void> {
    await this.#migrate({ direction: 'up', target: { kind: 'version', version } });
  }

  async down(): Promise<void> {
    await this.#migrate({ direction: 'down', target: { kind: 'steps', count: 1 }, hold: false });
  }

  async catalog(): Promise<Catalog> {
    // The migration may have made our tables, which are no part of the catalog.
    await this.#session.check();
    return await interruptedBy(this.#options.signal, this.#session, () => this.#session.readCatalog());
  }

  /** Of this database as it is; this bench is closed, as a template must have no sessions. */
  async copies(): Promise<readonly [Bench, Scratch]> {
    await this.#session.close();
    const copy = await this.#scratch.copy();
    return [await Bench.open(this.#options, this.#ports, this.#scratch), copy];
  }

  async close(): Promise<void> {
    await this.#session.close();
    await this.#scratch.drop();
  }

  async #migrate(request: Request): Promise<void> {
    await applyTo(this.#scratch, request, this.#options, this.#ports);
  }
}

/** A run of `up` or `down`, as the project's own runs are. */
export async function applyTo(
  { database, hooks }: Scratch,
  request: Request,
  options: ProveOptions,
  ports: ProvePorts,
): Promise<void> {
  await migrate(
    {
      ...options,
      request,
      strict: false,
      dryRun: false,
      pausesAfterFailure: false,
      lockWaitMs: 0,
      journalKeepMs: 0,
      cancelBlockedWaiters: false,
    },
    { ...ports, database, hooks },
  );
}
