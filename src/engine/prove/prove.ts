/** `prove`: what do the migrations make, and does each down file lead back to what was there before? */
import type { Catalog } from '../../core/catalog/catalog.ts';
import { MigratorError, toMigratorError } from '../../core/errors.ts';
import type { Migration, Version } from '../../core/migration.ts';
import type { Scratch, Trial } from '../../core/scratch.ts';
import type { ProvedVersion } from '../../core/reports.ts';
import { compareCatalogs } from '../drift/compare-catalogs.ts';
import { applyTo, Bench, upTo } from './bench.ts';
import type { ProveOptions, ProvePorts } from './options.ts';
import { Foresight } from './foresight.ts';
import { filesAboutCluster, isLacking, provingError, refuseClusterWide } from './provable.ts';
import { keepRows, lostRows, refuseStraySeeds, rowDifferences, type KeptRows } from './rows.ts';
import { withWitness } from './witness.ts';

/** What is known of each version, and the catalog that all migrations together make. */
export interface Proof {
  readonly versions: readonly ProvedVersion[];
  readonly catalog: Catalog;
}

export async function prove(options: ProveOptions, ports: ProvePorts): Promise<Proof> {
  const { migrations } = await ports.source.read();
  const seeds = ports.seeds();
  refuseStraySeeds(seeds, migrations);
  const aboutCluster = await filesAboutCluster(migrations, ports.parser);
  if (!ports.ownsServer) refuseClusterWide(aboutCluster);
  const { from } = options;
  const first = from === undefined ? 0 : migrations.findIndex(({ version }) => version === from);
  if (first === -1)
    throw new MigratorError('CONFIG_INVALID', `--from: there is no version ${String(from)} in the files`);
  const base = await ports.scratch();
  try {
    return await new Run(options, ports, { base, seeds, replays: aboutCluster.length === 0 }).prove(migrations, first);
  } catch (error) {
    options.signal.throwIfAborted();
    const roles = await base.roles().catch(() => []);
    throw await provingError(toMigratorError(error), { migrations, parser: ports.parser, roles });
  }
}

type Seen = Pick<ProvedVersion, 'locks' | 'rewritten' | 'unforeseen'>;
type Found = Omit<ProvedVersion, 'version' | 'durationMs' | keyof Seen>;

class Run {
  readonly #options: ProveOptions;
  #ports: ProvePorts;
  readonly #base: Base;
  /** Whether the files can be applied on the same server again: what they make of it as a whole stays. */
  readonly #replays: boolean;
  /** The tables to which seeds have given rows. */
  readonly #seeded = new Set<string>();
  readonly #foresight: Foresight;

  readonly #seeds: ReadonlyMap<Version, string>;

  constructor(
    options: ProveOptions,
    ports: ProvePorts,
    { base, seeds, replays }: { base: Scratch; seeds: ReadonlyMap<Version, string>; replays: boolean },
  ) {
    this.#options = options;
    this.#ports = ports;
    this.#base = new Base(base);
    this.#replays = replays;
    this.#seeds = seeds;
    this.#foresight = new Foresight(ports.parser);
  }

  async prove(files: readonly Migration[], first: number): Promise<Proof> {
    const versions: ProvedVersion[] = [];
    const all = await this.#watched(files);
    let bench = await this.#start(all, first);
    let expected = await bench.catalog();
    for (const migration of all.slice(0, first)) await this.#foresight.unforeseen(migration, { rewritten: [] });
    for (const migration of all.slice(first)) {
      const startedAt = this.#ports.clock.now();
      const rows = this.#seeded.size === 0 ? undefined : await keepRows(bench.trial, this.#seeded);
      const seen = await this.#firstUp(bench, migration);
      let spare: Scratch | undefined;
      if (!this.#replays && hasWayBack(migration)) [bench, spare] = await bench.copies();
      const made = await bench.catalog();
      let found = await this.#wayBack(bench, migration, { before: expected, made, rows });
      if (found.way === 'failed' || found.differences.length > 0) {
        // The next version is proved on what the migrations make, not on what a wrong down file has left.
        await bench.close();
        bench = await this.#open(spare ?? (await this.#applied(all, migration.version)));
      } else await spare?.drop();
      const seed = this.#seeds.get(migration.version);
      if (seed !== undefined) {
        await this.#load(bench.trial, seed);
        if (found.way === 'proved') [bench, found] = await this.#withRows(bench, migration, found);
      }
      const durationMs = this.#ports.clock.now() - startedAt;
      const proved = { version: migration.version, ...found, ...seen, durationMs };
      versions.push(proved);
      this.#ports.onProved(proved, all.length - first);
      expected = made;
    }
    return { versions, catalog: expected };
  }

  /** With a witness in each file. */
  async #watched(files: readonly Migration[]): Promise<readonly Migration[]> {
    const trial = await this.#base.scratch.trial();
    await trial.close();
    const migrations = await withWitness(files, trial.witness, this.#ports.parser);
    this.#ports = { ...this.#ports, source: { read: () => Promise.resolve({ migrations, remarks: [] }) } };
    return migrations;
  }

  /** With every version before the first one that is proved. */
  async #start(all: readonly Migration[], first: number): Promise<Bench> {
    const before = all[first - 1];
    return await this.#open(before ? await this.#applied(all, before.version) : await this.#base.scratch.copy());
  }

  #open(scratch: Scratch): Promise<Bench> {
    return Bench.open(this.#options, this.#ports, scratch);
  }

  /** A copy of the base, to which each version has been applied once. */
  async #applied(all: readonly Migration[], version: Version): Promise<Scratch> {
    const seeds = this.#seeds;
    const last = all.findIndex((one) => one.version === version);
    const seeded = all.slice(this.#base.next, last).filter((one) => seeds.has(one.version));
    for (const one of seeded) {
      await applyTo(this.#base.scratch, upTo(one.version), this.#options, this.#ports);
      const trial = await this.#base.scratch.trial();
      await this.#load(trial, seeds.get(one.version) ?? '').finally(() => trial.close());
    }
    await applyTo(this.#base.scratch, upTo(version), this.#options, this.#ports);
    this.#base.next = last;
    return await this.#base.scratch.copy();
  }

  async #load(trial: Trial, seed: string): Promise<void> {
    for (const table of await trial.load(seed)) this.#seeded.add(table);
  }

  async #firstUp(bench: Bench, migration: Migration): Promise<Seen> {
    const { trial } = bench;
    const before = await trial.tables();
    trial.watch();
    await bench.up(migration);
    const after = new Map((await trial.tables()).map((table) => [table.oid, table]));
    const rewritten = before.filter(({ oid, storage }) => after.has(oid) && after.get(oid)?.storage !== storage);
    const locks = trial.locksOn(before);
    const seen = { ...(locks && { locks }), rewritten: rewritten.map(({ name }) => name) };
    const unforeseen = await this.#foresight.unforeseen(migration, seen);
    return { ...seen, ...(unforeseen.length > 0 && { unforeseen }) };
  }

  async #wayBack(
    bench: Bench,
    migration: Migration,
    { before, made, rows }: { readonly before: Catalog; readonly made: Catalog; readonly rows: KeptRows | undefined },
  ): Promise<Found> {
    const { version, down } = migration;
    if (!down) return { way: 'none', differences: [] };
    if (down.directives.irreversible) return { way: 'irreversible', differences: [] };
    const again = `${version}.up.sql, after the down file`;
    const differences: ProvedVersion['differences'][number][] = [];
    let doing = down.file;
    try {
      await bench.down(version, down);
      differences.push(...(await this.#differences(down.file, before, await bench.catalog())));
      const lost = rows ? await lostRows(rows, bench.trial) : [];
      differences.push(...lost.map((row) => ({ file: down.file, ...row })));
      doing = again;
      await bench.up(migration);
      differences.push(...(await this.#differences(again, made, await bench.catalog())));
      return { way: differences.some(({ note }) => note !== true) ? 'different' : 'proved', differences };
    } catch (error) {
      // What the down file has left is often why the up file fails.
      return { ...this.#failed(error, doing), differences };
    }
  }

  #failed(error: unknown, file: string): Found {
    this.#options.signal.throwIfAborted();
    const { code, summary, details } = toMigratorError(error);
    if (!OWN_FAILURES.has(code) || isLacking(details.server)) throw error;
    return { way: 'failed', differences: [], failure: { file, summary: details.server?.message ?? summary } };
  }

  /** Down and up once more in a copy, with the rows that seeds have loaded. */
  async #withRows(bench: Bench, { version, down }: Migration, found: Found): Promise<readonly [Bench, Found]> {
    if (!down) return [bench, found];
    const [kept, copy] = await bench.copies();
    const other = await this.#open(copy);
    try {
      await other.down(version, down);
      const rows = await rowDifferences(kept.trial, other.trial, [...this.#seeded]);
      const differences = [...found.differences, ...rows.map((row) => ({ file: down.file, ...row }))];
      return [kept, { ...found, way: rows.length > 0 ? 'different' : found.way, differences }];
    } catch (error) {
      return [kept, this.#failed(error, `${down.file}, with the rows of the seeds`)];
    } finally {
      await other.close();
    }
  }

  async #differences(file: string, expected: Catalog, found: Catalog): Promise<ProvedVersion['differences']> {
    const differences = await compareCatalogs(expected, found, this.#ports.parser);
    return differences.map((difference) => ({ file, ...difference }));
  }
}

/** Versions are only ever applied to it. */
class Base {
  readonly scratch: Scratch;
  /** The first version that is not applied to it yet, by its place. */
  next = 0;

  constructor(scratch: Scratch) {
    this.scratch = scratch;
  }
}

/** Of a down file, or of the up file after it. */
const OWN_FAILURES = new Set(['MIGRATION_FAILED', 'MIGRATION_INCOMPLETE', 'MIGRATIONS_INVALID', 'CONTENTION']);

function hasWayBack({ down }: Migration): boolean {
  return down !== undefined && !down.directives.irreversible;
}
