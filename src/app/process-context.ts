/** What the process gives to the commands, and what they answer. */
import type { MigratorError } from '../core/errors.ts';
import type { JsonDocument } from '../output/documents.ts';

export interface ProcessContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string | undefined;
  readonly hostname: string;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** stderr is one. */
  readonly terminal: boolean;
  /** Absent where stdout or stderr is none. */
  readonly screen?: Terminal | undefined;
  readonly signal: AbortSignal;
  /** How many bytes of memory the container may take; undefined without a limit. */
  readonly memoryLimit?: () => number | undefined;
}

/** That both streams are. */
export interface Terminal {
  /** As wide as it is now. */
  readonly columns: () => number;
  /** Calls `restore` when the process ends, however it does. */
  readonly atExit: (restore: () => void) => void;
}

/** What a command has to say on stdout, and how it ended. */
export interface Answer {
  readonly document: JsonDocument;
  /** Undefined when the events have said everything. */
  readonly text?: string | undefined;
  readonly error?: MigratorError | undefined;
}
