/** Node's TLS, loaded at its first use: loading takes as long as the whole work of a run with nothing to do. */
import { createRequire } from 'node:module';
import type tls from 'node:tls';

const load = createRequire(import.meta.url);

export function nodeTls(): typeof tls {
  return load('node:tls') as typeof tls;
}
