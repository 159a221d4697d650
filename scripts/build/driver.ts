/**
 * Answers: what of the driver is loaded before it has connected? All but what it needs for a password, or to find a
 * host.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';

const LINE = /^const (crypto|dns) = (require\('(?:\.\/(?:crypto\/)?utils|dns)'\))$/m;

/**
 * Node's cryptography takes several milliseconds to load; the driver does so when a server asks for a password. We look
 * up hosts ourselves.
 */
export const driver: Plugin = {
  name: 'driver',
  setup(build) {
    build.onResolve({ filter: /^\.(?:\/crypto)?\/utils$/ }, ({ path, importer }) =>
      /\/pg\/lib\/(?:client|crypto\/sasl)\.js$/.test(importer) &&
      !(path === './utils' && importer.endsWith('client.js'))
        ? { path: join(import.meta.dirname, 'driver-crypto.ts') }
        : undefined,
    );
    build.onLoad({ filter: /\/pg\/lib\/(?:client|connection-parameters|crypto\/sasl)\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (!LINE.test(text)) throw new Error(`${path} is not written as it was; correct ${import.meta.filename}`);
      return { contents: text.replace(LINE, 'const $1 = new Proxy({}, { get: (_none, name) => $2[name] })') };
    });
  },
};
