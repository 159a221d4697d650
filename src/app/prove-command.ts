/** Runs `prove`: from Config to Answer. */
import { systemClock } from '../adapters/clock/system-clock.ts';
import { readKept, writeSchemaFile } from '../adapters/files/schema-file.ts';
import { readSeeds } from '../adapters/files/seeds.ts';
import { createFileSource } from '../adapters/files/source.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { ProveConfig } from '../config/config.ts';
import { inScope } from '../core/catalog/scope.ts';
import { prove } from '../engine/prove/prove.ts';
import { checkKept, reportOf } from '../engine/prove/report.ts';
import { proveDocument } from '../output/catalog-documents.ts';
import { formatProof, provedLine } from '../output/catalog-reports.ts';
import type { Answer, ProcessContext } from './process-context.ts';
import { ScratchDatabases, SILENT } from './scratch-databases.ts';
import type { Wiring } from './wiring.ts';

export async function proveAnswer(config: ProveConfig, context: ProcessContext, wiring: Wiring): Promise<Answer> {
  const { check, write, from, limits, hookTimeoutMs, connectWaitMs, files, scope } = config;
  const kept = check === undefined ? undefined : await readKept(check);
  const parser = createSqlParser();
  const databases = new ScratchDatabases(config, context, wiring);
  const source = createFileSource(files);
  let proved = 0;
  try {
    const { versions, catalog } = await prove(
      { runner: wiring.runner, connectWaitMs, limits, hookTimeoutMs, from, signal: context.signal },
      {
        scratch: () => databases.base(),
        ownsServer: databases.ownsServer,
        source,
        seeds: () => readSeeds(files.dir),
        parser,
        clock: systemClock,
        reporter: SILENT,
        onProved(version, of) {
          proved += 1;
          if (!config.json && context.screen) context.stderr.write(`${provedLine(version, proved, of)}\n`);
        },
      },
    );
    const made = inScope(catalog, scope);
    const report = reportOf(versions, files.strict);
    const checked =
      kept === undefined
        ? report
        : await checkKept(
            report,
            { kept: typeof kept === 'string' ? kept : inScope(kept, scope), catalog: made },
            parser,
          );
    if (write !== undefined) await writeSchemaFile(write, made);
    const whole = { ...checked, ...(write !== undefined && { wrote: write }) };
    return { document: proveDocument(whole), text: formatProof(whole), error: whole.error };
  } finally {
    await databases.close();
  }
}
