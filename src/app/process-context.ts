/** What commands get from the process, and the answer that they return. */
import type { MigratorError } from '../core/errors.ts';
import type { JsonDocument } from '../output/documents.ts';

export interface ProcessContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string | undefined;
  readonly hostname: string;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Whether stderr is a terminal. */
  readonly terminal: boolean;
  /** Absent unless stdout and stderr are both terminals. */
  readonly screen?: Terminal | undefined;
  readonly signal: AbortSignal;
  /** The container's memory limit in bytes; undefined if there is none. */
  readonly memoryLimit?: () => number | undefined;
}

/** The terminal of both streams. */
export interface Terminal {
  /** Its current width. */
  readonly columns: () => number;
  /** Calls `restore` when the process ends, for whatever reason. */
  readonly atExit: (restore: () => void) => void;
}

/** What a command prints on stdout, and how it ended. */
export interface Answer {
  readonly document: JsonDocument;
  /** Undefined if the events have already printed everything. */
  readonly text?: string | undefined;
  readonly error?: MigratorError | undefined;
}
