/** Runs `prove`: from Config to Answer. */
import { systemClock } from '../adapters/clock/system-clock.ts';
import { readSchemaFile, readSetup, writeSchemaFile } from '../adapters/files/schema-file.ts';
import { createFileSource } from '../adapters/files/source.ts';
import { DedicatedConnections } from '../adapters/postgres/connection/dedicated.ts';
import { PostgresDatabase } from '../adapters/postgres/database.ts';
import { WorkerHooks } from '../adapters/postgres/hooks/hooks.ts';
import { makeScratch, runSetup, withDatabase } from '../adapters/postgres/scratch/scratch.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { ProveConfig } from '../config/config.ts';
import { MigratorError } from '../core/errors.ts';
import type { HookRunner, Reporter, Scratch } from '../core/ports.ts';
import { checkKept, prove } from '../engine/commands/prove.ts';
import { formatProof } from '../output/catalog-reports.ts';
import { proveDocument } from '../output/catalog-documents.ts';
import type { Answer, ProcessContext } from './process-context.ts';
import { HOOK_WORKER, hookMemory, type Wiring } from './wiring.ts';

export async function proveAnswer(config: ProveConfig, context: ProcessContext, wiring: Wiring): Promise<Answer> {
  const { check, write, from, scratchOwned: ownsServer, limits, hookTimeoutMs, connectWaitMs, files } = config;
  const kept = check === undefined ? undefined : await readSchemaFile(check);
  const parser = createSqlParser();
  const { report, catalog } = await prove(
    {
      runner: wiring.runner,
      connectWaitMs,
      limits,
      hookTimeoutMs,
      from,
      ownsServer,
      strict: files.strict,
      signal: context.signal,
    },
    {
      scratch: await scratchOf(config, context, wiring),
      source: createFileSource(files),
      parser,
      clock: systemClock,
      reporter: SILENT,
    },
  );
  const checked = kept ? await checkKept(report, { kept, catalog }, parser) : report;
  if (write !== undefined) await writeSchemaFile(write, catalog);
  const whole = { ...checked, ...(write !== undefined && { wrote: write }) };
  return { document: proveDocument(whole), text: formatProof(whole), error: whole.error };
}

/** The runs on scratch databases are no runs of the project. */
const SILENT: Reporter = { report: () => undefined };
const NO_HOOKS: HookRunner = { has: () => false, run: () => Promise.resolve() };

async function scratchOf(
  config: ProveConfig,
  context: ProcessContext,
  { written }: Wiring,
): Promise<() => Promise<Scratch>> {
  const { scratchUrl, scratchTemplate, setup, table, connectWaitMs } = config;
  if (scratchUrl === undefined)
    throw new MigratorError('CONFIG_INVALID', 'there is no server for scratch databases', {
      hint: 'give --scratch-url (or LOCKSTEP_SCRATCH_URL): a server on which its role may create databases',
    });
  const sql = setup === undefined ? undefined : await readSetup(setup);
  const connectionsTo = (databaseUrl: string): DedicatedConnections =>
    new DedicatedConnections({ databaseUrl, env: context.env, home: context.home }, undefined);
  return async () => {
    const made = await makeScratch(connectionsTo(scratchUrl).connect, scratchTemplate, context.signal);
    const { connect, hookTarget } = connectionsTo(withDatabase(scratchUrl, made.name));
    if (sql !== undefined) await runSetup({ connect, sql, made }, context.signal);
    const place = { table, lockKey: undefined, role: undefined, allowPooler: false, reporter: SILENT };
    return {
      database: new PostgresDatabase({ connect, second: connect, ...place }),
      hooks: config.hooks
        ? new WorkerHooks({
            target: hookTarget,
            reporter: SILENT,
            written,
            workerUrl: HOOK_WORKER,
            connectWaitMs,
            memory: () => hookMemory(config, context),
          })
        : NO_HOOKS,
      drop: () => made.drop(),
    };
  };
}
