/** Posts a document once, in bounded time: no redirect is followed, no answer is read. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface Post {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  /** Certificates of the authorities to trust, in PEM. */
  readonly ca?: string | undefined;
}

/** @throws Error with a message that holds nothing of the address, which may be a secret. */
export async function post({ url, headers, body, timeoutMs, ca }: Post): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  try {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(
      url,
      { method: 'POST', agent: false, signal, headers: { ...headers, 'content-length': Buffer.byteLength(body) }, ca },
      ({ statusCode }) => {
        resolve(statusCode);
        request.destroy();
      },
    );
    request.on('error', reject);
    request.end(body);
    const status = await promise;
    if (status === undefined || status < 200 || status > 299) throw new Refused(`it answered with HTTP ${status}`);
  } catch (error) {
    throw new Error(signal.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error), { cause: error });
  }
}

class Refused extends Error {}

/** Node's own messages name host and port. */
function reasonOf(error: unknown): string {
  if (error instanceof Refused) return error.message;
  return error instanceof Error && 'code' in error ? String(error.code) : 'the request failed';
}
