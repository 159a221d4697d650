/** Runs `drift`: from Config to Answer. */
import { readPatterns, readSchemaFile } from '../adapters/files/schema-file.ts';
import { createFileSource } from '../adapters/files/source.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { DriftConfig, DriftSettings } from '../config/config.ts';
import { findDrift, type Expected } from '../engine/drift/drift.ts';
import { formatDrift } from '../output/catalog-reports.ts';
import { driftDocument } from '../output/catalog-documents.ts';
import type { Answer, ProcessContext } from './process-context.ts';
import { openPorts, type Wiring } from './wiring.ts';

export async function driftAnswer(config: DriftConfig, context: ProcessContext, wiring: Wiring): Promise<Answer> {
  const ports = openPorts(config, context, wiring);
  const report = await findDrift(
    {
      runner: ports.runner,
      connectWaitMs: config.connection.connectWaitMs,
      signal: context.signal,
      ...(await readExpected(config)),
    },
    { ...ports, source: createFileSource(config.files), parser: createSqlParser() },
  );
  return { document: driftDocument(report), text: formatDrift(report), error: report.error };
}

/** @throws MigratorError CONFIG_INVALID when a file cannot be read. */
export async function readExpected({ expect, ignoreFile, scope }: DriftSettings): Promise<Expected> {
  const more = ignoreFile === undefined ? [] : await readPatterns(ignoreFile);
  return { kept: await readSchemaFile(expect), scope: { ...scope, ignore: [...scope.ignore, ...more] } };
}
