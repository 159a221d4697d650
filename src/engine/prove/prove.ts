/** `prove`: what do the migrations make, and does each down file lead back to what was there before? */
import type { Catalog } from '../../core/catalog/catalog.ts';
import { MigratorError, toMigratorError } from '../../core/errors.ts';
import type { Migration, Version } from '../../core/migration.ts';
import type { Scratch } from '../../core/scratch.ts';
import type { ProvedVersion } from '../../core/reports.ts';
import { compareCatalogs } from '../drift/compare-catalogs.ts';
import { applyTo, Bench } from './bench.ts';
import type { ProveOptions, ProvePorts } from './options.ts';
import { filesAboutCluster, isLacking, provingError, refuseClusterWide } from './provable.ts';

/** What is known of each version, and the catalog that all migrations together make. */
export interface Proof {
  readonly versions: readonly ProvedVersion[];
  readonly catalog: Catalog;
}

export async function prove(options: ProveOptions, ports: ProvePorts): Promise<Proof> {
  const set = await ports.source.read();
  const { migrations } = set;
  const aboutCluster = await filesAboutCluster(migrations, ports.parser);
  if (!ports.ownsServer) refuseClusterWide(aboutCluster);
  const { from } = options;
  const first = from === undefined ? 0 : migrations.findIndex(({ version }) => version === from);
  if (first === -1)
    throw new MigratorError('CONFIG_INVALID', `--from: there is no version ${String(from)} in the files`);
  const base = await ports.scratch();
  try {
    const again = { ...ports, source: { read: () => Promise.resolve(set) } };
    const run = new Run(options, again, { base, replays: aboutCluster.length === 0 });
    return await run.prove(migrations, first);
  } catch (error) {
    options.signal.throwIfAborted();
    const roles = await base.roles().catch(() => []);
    throw await provingError(toMigratorError(error), { migrations, parser: ports.parser, roles });
  }
}

class Run {
  readonly #options: ProveOptions;
  readonly #ports: ProvePorts;
  /** Versions are only ever applied to it. */
  readonly #base: Scratch;
  /** Whether the files can be applied on the same server again: what they make of it as a whole stays. */
  readonly #replays: boolean;

  constructor(options: ProveOptions, ports: ProvePorts, { base, replays }: { base: Scratch; replays: boolean }) {
    this.#options = options;
    this.#ports = ports;
    this.#base = base;
    this.#replays = replays;
  }

  async prove(migrations: readonly Migration[], first: number): Promise<Proof> {
    const versions: ProvedVersion[] = [];
    let bench = await this.#open(await this.#base.copy());
    const before = migrations[first - 1];
    if (before) await bench.up(before.version);
    for (const migration of migrations.slice(first)) {
      const startedAt = this.#ports.clock.now();
      const expected = await bench.catalog();
      await bench.up(migration.version);
      let spare: Scratch | undefined;
      if (!this.#replays && hasWayBack(migration)) [bench, spare] = await bench.copies();
      const found = await this.#wayBack(bench, migration, expected);
      const proved = { version: migration.version, ...found, durationMs: this.#ports.clock.now() - startedAt };
      versions.push(proved);
      this.#ports.onProved(proved, migrations.length - first);
      if (proved.way === 'different' || proved.way === 'failed') {
        // The next version is proved on what the migrations make, not on what a wrong down file has left.
        await bench.close();
        bench = await this.#open(spare ?? (await this.#applied(migration.version)));
      } else await spare?.drop();
    }
    return { versions, catalog: await bench.catalog() };
  }

  #open(scratch: Scratch): Promise<Bench> {
    return Bench.open(this.#options, this.#ports, scratch);
  }

  /** A copy of the base, to which each version has been applied once. */
  async #applied(version: Version): Promise<Scratch> {
    const request = { direction: 'up', target: { kind: 'version', version } } as const;
    await applyTo(this.#base, request, this.#options, this.#ports);
    return await this.#base.copy();
  }

  async #wayBack(
    bench: Bench,
    { version, down }: Migration,
    before: Catalog,
  ): Promise<Omit<ProvedVersion, 'version' | 'durationMs'>> {
    if (!down) return { way: 'none', differences: [] };
    if (down.directives.irreversible) return { way: 'irreversible', differences: [] };
    const made = await bench.catalog();
    let doing = down.file;
    try {
      await bench.down();
      const back = await bench.catalog();
      doing = `${version}.up.sql, after the down file`;
      await bench.up(version);
      const differences = [
        ...(await this.#differences(down.file, before, back)),
        ...(await this.#differences(doing, made, await bench.catalog())),
      ];
      return { way: differences.some(({ note }) => note !== true) ? 'different' : 'proved', differences };
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const { code, summary, details } = toMigratorError(error);
      if (!OWN_FAILURES.has(code) || isLacking(details.server)) throw error;
      return { way: 'failed', differences: [], failure: { file: doing, summary } };
    }
  }

  async #differences(file: string, expected: Catalog, found: Catalog): Promise<ProvedVersion['differences']> {
    const differences = await compareCatalogs(expected, found, this.#ports.parser);
    return differences.map((difference) => ({ file, ...difference }));
  }
}

/** Of a down file, or of the up file after it. */
const OWN_FAILURES = new Set(['MIGRATION_FAILED', 'MIGRATION_INCOMPLETE', 'MIGRATIONS_INVALID', 'CONTENTION']);

function hasWayBack({ down }: Migration): boolean {
  return down !== undefined && !down.directives.irreversible;
}
