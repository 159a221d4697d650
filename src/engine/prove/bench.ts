/** One scratch database, the session that changes it, and those that look at it. */
import type { Catalog } from '../../core/catalog/catalog.ts';
import type { Migration, Script, Version } from '../../core/migration.ts';
import type { Session } from '../../core/ports.ts';
import type { Scratch, Trial } from '../../core/scratch.ts';
import { migrate } from '../migrate/migrate.ts';
import type { Request } from '../migrate/request.ts';
import { connect } from '../session/connect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import type { ProveOptions, ProvePorts } from './options.ts';
import { Track } from './track.ts';

export class Bench {
  readonly trial: Trial;
  readonly #options: ProveOptions;
  readonly #ports: ProvePorts;
  readonly #scratch: Scratch;
  readonly #track: Track;
  /** Reads the catalog: what it has prepared stays, as no migration runs in it. */
  readonly #session: Session;

  private constructor(
    options: ProveOptions,
    ports: ProvePorts,
    { scratch, track, session, trial }: { scratch: Scratch; track: Track; session: Session; trial: Trial },
  ) {
    this.#options = options;
    this.#ports = ports;
    this.#scratch = scratch;
    this.#track = track;
    this.#session = session;
    this.trial = trial;
  }

  static async open(options: ProveOptions, ports: ProvePorts, scratch: Scratch): Promise<Bench> {
    // It makes our tables, which the other session has to know: they are no part of the catalog.
    const track = await Track.open(options, ports, scratch);
    const { session } = await connect({ ...options, writes: false }, { ...ports, ...scratch }, options.signal);
    return new Bench(options, ports, { scratch, track, session, trial: await scratch.trial() });
  }

  async up(migration: Migration): Promise<void> {
    await this.#track.up(migration);
  }

  async down(version: Version, script: Script): Promise<void> {
    await this.#track.down(version, script);
  }

  async catalog(): Promise<Catalog> {
    return await interruptedBy(this.#options.signal, this.#session, () => this.#session.readCatalogAgain());
  }

  /** This database as it is, twice; this bench is closed, as a template must have no sessions. */
  async copies(): Promise<readonly [Bench, Scratch]> {
    await this.#leave();
    const copy = await this.#scratch.copy();
    return [await Bench.open(this.#options, this.#ports, this.#scratch), copy];
  }

  async close(): Promise<void> {
    await this.#leave();
    await this.#scratch.drop();
  }

  async #leave(): Promise<void> {
    await this.#track.close();
    await this.#session.close();
    await this.trial.close();
  }
}

export function upTo(version: Version): Request {
  return { direction: 'up', target: { kind: 'version', version } };
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
