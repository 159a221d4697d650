/** The port that sends one Event. */
import type { EventObject } from './event-object.ts';

/** The API server's address and credentials in a pod. */
export interface InCluster {
  /** KUBERNETES_SERVICE_HOST and _PORT. */
  readonly host: string;
  readonly port: string;
  /** Contains the files `token`, `ca.crt` and `namespace`. */
  readonly serviceAccountDir: string;
}

export interface Poster {
  /** @throws PostError */
  post(event: EventObject, signal: AbortSignal): Promise<void>;
}

interface PostErrorInit {
  /** The HTTP status; undefined if there was no answer. */
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
