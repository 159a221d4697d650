/** `prove`: what do the migrations make, and does each down file lead back to what was there before? */
import type { Catalog } from '../../core/catalog/catalog.ts';
import { describeDifference } from '../../core/catalog/describe.ts';
import { compareVersions, type Migration, type Version } from '../../core/migration.ts';
import { MigratorError, toMigratorError } from '../../core/errors.ts';
import type { Clock, MigrationSource, Reporter, Scratch, Session } from '../../core/ports.ts';
import type { ProvedVersion, ProveReport } from '../../core/reports.ts';
import type { RunnerIdentity } from '../../core/runner.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { migrate } from '../migrate/migrate.ts';
import type { Request } from '../migrate/request.ts';
import { connect } from '../session/connect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import { compareCatalogs } from './compare-catalogs.ts';
import { refuseClusterWide, unprovable } from './provable.ts';

export interface ProveOptions {
  readonly runner: RunnerIdentity;
  readonly connectWaitMs: number;
  readonly limits: { readonly lockTimeoutMs: number; readonly statementTimeoutMs: number };
  readonly hookTimeoutMs: number;
  /** Versions before it are applied and not proved. */
  readonly from: Version | undefined;
  /** Nobody else uses the server of the scratch databases. */
  readonly ownsServer: boolean;
  /** A version without a way back fails. */
  readonly strict: boolean;
  readonly signal: AbortSignal;
}

export interface ProvePorts {
  readonly scratch: () => Promise<Scratch>;
  readonly source: MigrationSource;
  readonly parser: SqlParser;
  readonly clock: Clock;
  readonly reporter: Reporter;
}

/** With the catalog that all migrations together make. */
export async function prove(
  options: ProveOptions,
  ports: ProvePorts,
): Promise<{ readonly report: ProveReport; readonly catalog: Catalog }> {
  const { migrations, remarks } = await ports.source.read();
  if (!options.ownsServer) await refuseClusterWide(migrations, ports.parser);
  const { from } = options;
  if (from !== undefined && !migrations.some(({ version }) => version === from))
    throw new MigratorError('CONFIG_INVALID', `--from: there is no version ${from} in the files`);
  let bench = await Bench.open(options, { ...ports, source: { read: () => Promise.resolve({ migrations, remarks }) } });
  const versions: ProvedVersion[] = [];
  try {
    const first = from === undefined ? 0 : migrations.findIndex(({ version }) => version === from);
    const before = migrations[first - 1];
    if (before) await bench.up(before.version);
    for (const migration of migrations.slice(first)) {
      const proved = await bench.prove(migration);
      versions.push(proved);
      if (proved.way !== 'different' && proved.way !== 'failed') continue;
      // The next version is proved on what the migrations make, not on what a wrong down file has left.
      bench = await bench.again();
      await bench.up(migration.version);
    }
    return { report: reportOf(versions, options.strict), catalog: await bench.catalog() };
  } finally {
    await bench.close();
  }
}

/** One scratch database, and the session that looks at it. */
class Bench {
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

  static async open(options: ProveOptions, ports: ProvePorts): Promise<Bench> {
    const scratch = await ports.scratch();
    try {
      const { session } = await connect({ ...options, writes: false }, { ...ports, ...scratch }, options.signal);
      return new Bench(options, ports, scratch, session);
    } catch (error) {
      await scratch.drop();
      throw error;
    }
  }

  async again(): Promise<Bench> {
    await this.close();
    return await Bench.open(this.#options, this.#ports);
  }

  async close(): Promise<void> {
    await this.#session.close().finally(() => this.#scratch.drop());
  }

  async up(version: Version): Promise<void> {
    await this.#migrate({ direction: 'up', target: { kind: 'version', version } }).catch((error: unknown) => {
      throw unprovable(toMigratorError(error));
    });
  }

  /** @throws MigratorError what failed at the first up. */
  async prove({ version, down }: Migration): Promise<ProvedVersion> {
    const { clock } = this.#ports;
    const startedAt = clock.now();
    const told = (facts: Omit<ProvedVersion, 'version' | 'durationMs' | 'differences'>): ProvedVersion => ({
      version,
      differences: [],
      durationMs: clock.now() - startedAt,
      ...facts,
    });
    const before = await this.catalog();
    await this.up(version);
    if (!down) return told({ way: 'none' });
    if (down.directives.irreversible) return told({ way: 'irreversible' });
    const made = await this.catalog();
    let doing = down.file;
    try {
      await this.#migrate({ direction: 'down', target: { kind: 'steps', count: 1 }, hold: false });
      const back = await this.catalog();
      doing = `${version}.up.sql, after the down file`;
      await this.#migrate({ direction: 'up', target: { kind: 'version', version } });
      const differences = [
        ...(await this.#differences(down.file, before, back)),
        ...(await this.#differences(doing, made, await this.catalog())),
      ];
      const wrong = differences.some(({ note }) => note !== true);
      return { ...told({ way: wrong ? 'different' : 'proved' }), differences };
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const { code, summary } = toMigratorError(error);
      if (code !== 'MIGRATION_FAILED' && code !== 'MIGRATION_INCOMPLETE' && code !== 'MIGRATIONS_INVALID') throw error;
      return told({ way: 'failed', failure: { file: doing, summary } });
    }
  }

  async #differences(file: string, expected: Catalog, found: Catalog): Promise<ProvedVersion['differences']> {
    const differences = await compareCatalogs(expected, found, this.#ports.parser);
    return differences.map((difference) => ({ file, ...difference }));
  }

  async catalog(): Promise<Catalog> {
    // The migration may have made our tables, which are no part of the catalog.
    await this.#session.check();
    return await interruptedBy(this.#options.signal, this.#session, () => this.#session.readCatalog());
  }

  async #migrate(request: Request): Promise<void> {
    const { database, hooks } = this.#scratch;
    await migrate(
      {
        ...this.#options,
        request,
        strict: false,
        dryRun: false,
        pausesAfterFailure: false,
        lockWaitMs: 0,
        journalKeepMs: 0,
        cancelBlockedWaiters: false,
      },
      { ...this.#ports, database, hooks },
    );
  }
}

function reportOf(versions: readonly ProvedVersion[], strict: boolean): ProveReport {
  const failing = versions.filter(({ way }) => way === 'different' || way === 'failed' || (strict && way !== 'proved'));
  if (failing.length === 0) return { versions };
  const error = new MigratorError(
    'NOT_PROVEN',
    `${failing.length} of ${versions.length} versions have no proven way back`,
    {
      problems: failing.toSorted((a, b) => compareVersions(a.version, b.version)).map(describeProved),
      hint: 'correct the down files; what cannot be brought back is marked with -- lockstep: irreversible',
    },
  );
  return { versions, error };
}

function describeProved({ version, way, failure, differences }: ProvedVersion): string {
  if (failure) return `${failure.file}: ${failure.summary}`;
  if (way === 'none') return `${version}: has no down file`;
  if (way === 'irreversible') return `${version}: is irreversible`;
  return differences
    .filter(({ note }) => note !== true)
    .map((one) => `${one.file}: ${describeDifference(one)}`)
    .join('; ');
}

/** With what the kept schema differs from the migrations, which fails too. */
export async function checkKept(
  report: ProveReport,
  { kept, catalog }: { readonly kept: Catalog; readonly catalog: Catalog },
  parser: SqlParser,
): Promise<ProveReport> {
  const differences = await compareCatalogs(kept, catalog, parser);
  const failures = differences.filter(({ note }) => note !== true);
  if (failures.length === 0) return { ...report, kept: differences };
  const error = new MigratorError('NOT_PROVEN', 'the kept schema is not what the migrations make', {
    problems: failures.map(describeDifference),
    hint: 'run "lockstep prove --write", and commit the file with the migrations',
  });
  return { ...report, kept: differences, error: report.error ?? error };
}
