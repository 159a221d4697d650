/** `import --files`: no database is asked. */
import { createConversionFiles } from '../adapters/files/convertible.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { ConvertConfig } from '../config/config.ts';
import { convert } from '../engine/commands/convert.ts';
import { convertDocument } from '../output/documents.ts';
import { formatConversion } from '../output/reports.ts';
import type { Wiring } from './wiring.ts';
import type { Answer } from './process-context.ts';

export async function convertAnswer(
  { convertFrom, oldDir, dir, dryRun }: ConvertConfig,
  { reporter }: Wiring,
): Promise<Answer> {
  const report = await convert(
    { tool: convertFrom, dryRun },
    { files: createConversionFiles(oldDir, dir), parser: createSqlParser(), reporter },
  );
  return { document: convertDocument(report), text: formatConversion(report) };
}
