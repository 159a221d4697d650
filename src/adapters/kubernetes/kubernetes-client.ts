/** Posts Events with the official client. The client is large, so this file is loaded when the first Event is due. */
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import {
  ApiException,
  createConfiguration,
  EventsV1Api,
  KubeConfig,
  ServerConfiguration,
  V1MicroTime,
  type Middleware,
} from '@kubernetes/client-node';

import { CONTROLLER } from './event-object.ts';
import { PostError, type InCluster, type Poster } from './poster.ts';

/**
 * Uses only the pod's own cluster, never a kubeconfig. Reads the token for each post, because the kubelet replaces it
 * (the client's own reader would cache it for a minute), and opens a connection for each post, because minutes may pass
 * between two.
 */
export function createPoster({ host, port, serviceAccountDir }: InCluster): Poster {
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const cluster = { name: 'cluster', server, caFile: join(serviceAccountDir, 'ca.crt'), skipTLSVerify: false };
  return {
    async post({ eventTime, ...event }, signal) {
      try {
        const access = new KubeConfig();
        const token = (await readFile(join(serviceAccountDir, 'token'), 'utf8')).trim();
        access.loadFromClusterAndUser(cluster, { name: 'pod', token });
        const configuration = createConfiguration({
          baseServer: new ServerConfiguration(server, {}),
          authMethods: { default: access },
          promiseMiddleware: [during(signal)],
        });
        const body = { apiVersion: 'events.k8s.io/v1', kind: 'Event', ...event, eventTime: new V1MicroTime(eventTime) };
        // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- the client takes plain objects of the same shape
        await new EventsV1Api(configuration).createNamespacedEvent({ namespace: event.metadata.namespace, body });
      } catch (cause) {
        throw toPostError(cause, signal);
      }
    },
  };
}

/** Aborts the request with the signal, and sets the User-Agent. */
function during(signal: AbortSignal): Middleware {
  return {
    pre: async (request) => {
      request.setSignal(signal);
      request.setHeaderParam('User-Agent', CONTROLLER);
      return request;
    },
    post: async (response) => response,
  };
}

function toPostError(cause: unknown, signal: AbortSignal): PostError {
  if (cause instanceof ApiException) {
    const seconds = Number((cause.headers as Record<string, string | undefined>)['retry-after']);
    return new PostError(`the API server answered ${cause.code}${wordsOf(cause.body)}`, {
      status: cause.code,
      retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
      cause,
    });
  }
  if (signal.aborted) return new PostError('the API server did not answer in time', { cause });
  // fetch says only "fetch failed"; the reason is in the cause.
  const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return new PostError(reason instanceof Error ? reason.message : String(reason), { cause });
}

/** The message of a Status object, which the client returns as text. */
function wordsOf(body: unknown): string {
  try {
    const { message } = JSON.parse(String(body)) as { message?: unknown };
    return typeof message === 'string' ? `: ${message}` : '';
  } catch {
    return '';
  }
}
