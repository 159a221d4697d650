/** What the process gives to the commands, and what they answer. */
import type { MigratorError } from '../core/errors.ts';
import type { JsonDocument } from '../output/documents.ts';

export interface ProcessContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string | undefined;
  readonly hostname: string;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly terminal: boolean;
  readonly signal: AbortSignal;
  /** How many bytes of memory the container may take; undefined without a limit. */
  readonly memoryLimit?: () => number | undefined;
}

/** What a command has to say on stdout, and how it ended. */
export interface Answer {
  readonly document: JsonDocument;
  /** Undefined when the events have said everything. */
  readonly text?: string | undefined;
  readonly error?: MigratorError | undefined;
}
