/** Node's TLS, loaded at its first use: that takes as long as all that a replica with nothing to do does itself. */
import { createRequire } from 'node:module';
import type tls from 'node:tls';

const load = createRequire(import.meta.url);

export function nodeTls(): typeof tls {
  return load('node:tls') as typeof tls;
}
