/**
 * Answers: how much of the Kubernetes client is bundled? What its API of Events uses, not 750 models, exec, cp, …; and of the
 * HTTP client below it no test doubles, no WebSockets, and its WebAssembly once: for processors with SIMD, as x64 and arm64 are.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';

/** A line of the serializer that is about one model: its export, its import, or its row in the table. */
const LINE_OF_A_MODEL =
  /^(?:export \* from '\.\.\/models\/|import \{ | +")(\w+)(?:\.js';| \} from '\.\.\/models\/\w+\.js';|": \w+,)$/;

const UNUSED_OF_HTTP = /\/undici\/lib\/(?:mock|web\/websocket|web\/eventsource)\//;
const WITHOUT_SIMD = /(?:no-simd|llhttp-wasm)\.js$/;

export const kubernetesClient: Plugin = {
  name: 'kubernetes-client',
  setup(build) {
    // Its modules only declare things (package.json does not say so), but for a polyfill.
    build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, importer, resolveDir }) =>
      importer.includes('/@kubernetes/client-node/dist/')
        ? { path: join(resolveDir, path), sideEffects: path.endsWith('/polyfill.js') }
        : undefined,
    );
    build.onResolve({ filter: WITHOUT_SIMD }, ({ path, importer, resolveDir }) =>
      importer.includes('/undici/')
        ? { path: join(resolveDir, path.replace('no-simd', 'simd').replace('llhttp-wasm', 'llhttp_simd-wasm')) }
        : undefined,
    );
    build.onLoad({ filter: UNUSED_OF_HTTP }, () => ({ contents: 'module.exports = {};' }));
    build.onLoad(
      { filter: /\/@kubernetes\/client-node\/dist\/gen\/models\/ObjectSerializer\.js$/ },
      async ({ path }) => ({
        contents: await withoutOtherModels(path),
      }),
    );
  },
};

/**
 * The serializer with the models that the API of Events leads to. It passes on what it does not know, so none may lack.
 */
async function withoutOtherModels(serializer: string): Promise<string> {
  const generated = join(dirname(serializer), '..');
  const lines = (await readFile(serializer, 'utf8'))
    .split('\n')
    .map((line) => ({ line, model: LINE_OF_A_MODEL.exec(line)?.[1] }));
  const models = new Set(lines.flatMap(({ model }) => model ?? []));
  const needed = new Set<string>();
  const visit = async (file: string): Promise<void> => {
    for (const [name] of (await readFile(join(generated, file), 'utf8')).matchAll(/\b[A-Z]\w+\b/g)) {
      if (!models.has(name) || needed.has(name)) continue;
      needed.add(name);
      await visit(`models/${name}.js`);
    }
  };
  await visit('apis/EventsV1Api.js');
  const kept = lines.filter(({ model }) => model === undefined || needed.has(model));
  if (!needed.has('EventsV1Event') || lines.length - kept.length !== 3 * (models.size - needed.size)) {
    throw new Error(`@kubernetes/client-node is not generated as it was; correct ${import.meta.filename}`);
  }
  return kept.map(({ line }) => line).join('\n');
}
