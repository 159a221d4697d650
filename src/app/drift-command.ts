/** Runs `drift`: from Config to Answer. */
import { readPatterns, readSchemaFile } from '../adapters/files/schema-file.ts';
import { createFileSource } from '../adapters/files/source.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { DriftConfig } from '../config/config.ts';
import { findDrift } from '../engine/commands/drift.ts';
import { formatDrift } from '../output/catalog-reports.ts';
import { driftDocument } from '../output/catalog-documents.ts';
import type { Answer, ProcessContext } from './process-context.ts';
import { openPorts, type Wiring } from './wiring.ts';

export async function driftAnswer(config: DriftConfig, context: ProcessContext, wiring: Wiring): Promise<Answer> {
  const { expect, ignoreFile, scope, connection } = config;
  const kept = await readSchemaFile(expect);
  const more = ignoreFile === undefined ? [] : await readPatterns(ignoreFile);
  const ports = openPorts(config, context, wiring);
  const report = await findDrift(
    {
      runner: ports.runner,
      connectWaitMs: connection.connectWaitMs,
      signal: context.signal,
      kept,
      scope: { ...scope, ignore: [...scope.ignore, ...more] },
    },
    { ...ports, source: createFileSource(config.files), parser: createSqlParser() },
  );
  return { document: driftDocument(report), text: formatDrift(report), error: report.error };
}
