/** Runs all commands except `up` and `down`: from Config to Answer; loaded only for them. */
import { createMigration } from '../adapters/files/create.ts';
import type { Config, DownConfig, UpConfig } from '../config/config.ts';
import { printableLine } from '../core/text/printable.ts';
import { createDocument } from '../output/documents.ts';
import { databaseAnswer } from './database-commands.ts';
import type { Wiring } from './wiring.ts';
import type { Answer, ProcessContext } from './process-context.ts';

export async function otherAnswer(
  config: Exclude<Config, UpConfig | DownConfig>,
  context: ProcessContext,
  wiring: Wiring,
): Promise<Answer> {
  if (config.command === 'create') {
    const { dir, name, timestamp } = config;
    const files = await createMigration({ dir, name, timestamp, now: new Date() });
    return { document: createDocument(files), text: files.map(printableLine).join('\n') };
  }
  if (config.command === 'validate')
    return await (await import('./validate-command.ts')).validateAnswer(config, context);
  if (config.command === 'fleet')
    return await (await import('./fleet-command.ts')).fleetAnswer(config, context, wiring);
  if ('oldDir' in config) return await (await import('./convert-command.ts')).convertAnswer(config, wiring);
  if (config.command === 'prove')
    return await (await import('./prove-command.ts')).proveAnswer(config, context, wiring);
  if (config.command === 'drift')
    return await (await import('./drift-command.ts')).driftAnswer(config, context, wiring);
  return await databaseAnswer(config, context, wiring);
}
