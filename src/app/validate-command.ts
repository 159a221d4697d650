/** `validate`: no database is asked. */
import { createFileSource } from '../adapters/files/source.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { ValidateConfig } from '../config/config.ts';
import { validate } from '../engine/commands/validate.ts';
import { validateDocument } from '../output/documents.ts';
import { formatValidation } from '../output/reports.ts';
import type { Answer } from './process-context.ts';

export async function validateAnswer({ files }: ValidateConfig): Promise<Answer> {
  const report = await validate(createFileSource(files), createSqlParser(), files);
  return { document: validateDocument(report), text: formatValidation(report), error: report.error };
}
