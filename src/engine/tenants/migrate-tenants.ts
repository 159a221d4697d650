/** `up` and `down` with `--schemas`: the same migrations in many schemas of one database. */
import { toMigratorError, type MigratorError } from '../../core/errors.ts';
import { judgeRemarks } from '../../core/file-names.ts';
import type { MigrationSet, Reporter } from '../../core/ports.ts';
import { onlyAddsToHistory } from '../../core/runner.ts';
import type { TenantSession } from '../../core/tenants/ports.ts';
import { countTenants, tenantsError, type TenantsReport } from '../../core/tenants/report.ts';
import { selectSchemas, type Selection } from '../../core/tenants/select.ts';
import { Standings } from '../../core/tenants/standing.ts';
import type { MigrateOptions } from '../migrate/run.ts';
import { connect } from '../session/connect.ts';
import { interruptedBy, interruption } from '../session/interrupting.ts';
import { Board } from './board.ts';
import { withGate } from './gate.ts';
import { migrateOne, type TenantsPorts } from './one-tenant.ts';

export interface TenantsOptions {
  readonly selection: Selection;
  /** How many sessions work at the same time. */
  readonly parallel: number;
  readonly failFast: boolean;
  readonly migrate: MigrateOptions;
}

/** @throws MigratorError for what concerns no single schema; a failure of one is in the report. */
export async function migrateTenants(options: TenantsOptions, ports: TenantsPorts): Promise<TenantsReport> {
  const files = await ports.source.read();
  const reporter = oncePerWarning(ports.reporter);
  for (const message of judgeRemarks(files.remarks, options.migrate.strict))
    reporter.report({ type: 'warning', message });
  const run = new TenantsRun(options, { ...ports, reporter, files });
  const lead = await run.open();
  try {
    return await run.begin(lead);
  } finally {
    await lead.close();
  }
}

class TenantsRun {
  readonly #options: TenantsOptions;
  readonly #ports: TenantsPorts & { readonly files: MigrationSet };
  readonly #startedAt: number;

  constructor(options: TenantsOptions, ports: TenantsPorts & { readonly files: MigrationSet }) {
    this.#options = options;
    this.#ports = ports;
    this.#startedAt = ports.clock.now();
  }

  async open(): Promise<TenantSession> {
    const { migrate } = this.#options;
    const { session } = await connect({ ...migrate, writes: !migrate.dryRun }, this.#ports, migrate.signal);
    return session;
  }

  async begin(lead: TenantSession): Promise<TenantsReport> {
    const { selection, migrate, failFast } = this.#options;
    const { reporter, files } = this.#ports;
    const { candidates } = await lead.check();
    const { schemas, without } = selectSchemas(candidates, selection);
    for (const pattern of without)
      reporter.report({ type: 'warning', message: `--schemas: no schema matches ${pattern}` });
    const { request, strict, lockWaitMs, signal, dryRun } = migrate;
    const standings = new Standings(
      files.migrations,
      request.direction === 'up'
        ? { ...request, strict }
        : { ...request, holds: request.hold === true, database: lead.database },
    );
    const board = new Board({ standings, lockWaitMs, failFast, signal }, this.#ports);
    const look = await interruptedBy(signal, lead, async () => {
      const seen = await lead.look(schemas);
      const unknown = schemas.filter((schema) => standings.of(schema, seen) === 'new release');
      const left = new Set(dryRun ? [] : await lead.noteRelease(unknown));
      board.sort(schemas, seen, new Set(unknown.filter((schema) => !left.has(schema))));
      return seen;
    });
    const { ahead, warnings } = standings.remarksOn(schemas, look);
    if (ahead.length > 0) reporter.report({ type: 'database.ahead', versions: ahead });
    for (const message of warnings) reporter.report({ type: 'warning', message });
    const isRollingBack = look.alone !== undefined && !onlyAddsToHistory(look.alone);
    let stopped: MigratorError | undefined;
    if (board.open > 0 || (isRollingBack && !dryRun)) {
      const withoutHistory = board.work.filter((schema) => look.looks.get(schema)?.history.exists === false);
      const { direction } = request;
      if (!dryRun)
        reporter.report({
          type: 'tenants.planned',
          direction,
          schemas: schemas.length,
          work: board.open,
          withoutHistory: direction === 'up' ? withoutHistory : [],
        });
      board.rotate();
      stopped = await this.#work(board, lead, isRollingBack ? schemas : []).catch(toMigratorError);
    }
    return this.#report(board, schemas, signal.aborted ? interruption(signal) : stopped);
  }

  /** Undefined when all was tried. @throws MigratorError for what ends the whole run. */
  async #work(board: Board, lead: TenantSession, lookAgainAt: readonly string[]): Promise<undefined> {
    const { parallel, migrate } = this.#options;
    if (migrate.dryRun) {
      await this.#drain(board, lead);
      return;
    }
    const more = Math.max(0, Math.min(parallel, board.open) - 1);
    let changed = lookAgainAt;
    const first = async (session: TenantSession): Promise<void> => {
      // While this run waited for the gate, a rollback has changed what is applied.
      if (changed.length > 0) board.sort(changed, await session.look(changed));
      changed = [];
      await this.#drain(board, session);
    };
    await Promise.all([
      this.#workAs(board, first, lead),
      ...Array.from({ length: more }, () => this.#workAs(board, (session) => this.#drain(board, session))),
    ]);
  }

  /** With another session where one is lost. */
  async #workAs(board: Board, body: (session: TenantSession) => Promise<void>, lead?: TenantSession): Promise<void> {
    const { migrate } = this.#options;
    for (let session = lead ?? (await this.open()); ; session = await this.open()) {
      try {
        await withGate(session, () => body(session), migrate, this.#ports);
        if (!session.lost.aborted) return;
      } catch (error) {
        if (!session.lost.aborted || migrate.signal.aborted) {
          board.stop();
          throw error;
        }
      } finally {
        if (session !== lead) await session.close();
      }
    }
  }

  async #drain(board: Board, session: TenantSession): Promise<void> {
    const { migrate } = this.#options;
    while (!session.lost.aborted) {
      const schema = await board.next(session);
      if (schema === undefined) return;
      board.settle(await migrateOne(schema, session, migrate, this.#ports));
    }
  }

  #report(board: Board, schemas: readonly string[], stopped: MigratorError | undefined): TenantsReport {
    const { request, dryRun } = this.#options.migrate;
    const { direction } = request;
    const results = schemas.map((schema) => board.results.get(schema) ?? { schema, state: 'not run' as const });
    const durationMs = this.#ports.clock.now() - this.#startedAt;
    const error = tenantsError(results, stopped);
    const counts = countTenants(results);
    this.#ports.reporter.report({ type: 'tenants.finished', direction, counts, dryRun, durationMs });
    return { direction, dryRun, results, durationMs, error };
  }
}

/** What is wrong with the files, or with all schemas, is said once. */
function oncePerWarning(reporter: Reporter): Reporter {
  const said = new Set<string>();
  return {
    report(event) {
      const warning = event.type === 'tenant.event' ? event.event : event;
      if (warning.type === 'warning') {
        if (said.has(warning.message)) return;
        said.add(warning.message);
      }
      reporter.report(event);
    },
  };
}
