/** Sending one Event, whoever does it. */
import type { EventObject } from './event-object.ts';

/** The API server, as every pod knows it. */
export interface InCluster {
  /** KUBERNETES_SERVICE_HOST and _PORT. */
  readonly host: string;
  readonly port: string;
  /** With the files `token`, `ca.crt` and `namespace`. */
  readonly serviceAccountDir: string;
}

export interface Poster {
  /** @throws PostError */
  post(event: EventObject, signal: AbortSignal): Promise<void>;
}

interface PostErrorInit {
  /** HTTP; undefined when there was no answer. */
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

export class PostError extends Error {
  override readonly name = 'PostError';
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { status, retryAfterMs, cause }: PostErrorInit = {}) {
    super(message, { cause });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}
