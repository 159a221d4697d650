/** What is printed for a command line that only asks: help, version or a completion script. */
import type { RawOptions } from '../config/options.ts';
import type { Arguments } from './arguments.ts';
import { completionScript } from './completion.ts';
import { helpText } from './help.ts';

/** @throws MigratorError CONFIG_INVALID for a shell without a completion. */
export async function answerText(
  asked: Exclude<Arguments, RawOptions>,
  { columns, shell }: { readonly columns: number; readonly shell: string | undefined },
): Promise<string> {
  if ('version' in asked) return asked.version;
  if ('completion' in asked) return completionScript(asked.completion, shell);
  return await helpText(asked, columns);
}
