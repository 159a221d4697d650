/** Answers: how does the bundle get at the modules of Node itself? */
import { createRequire } from 'node:module';
import type { Plugin } from 'esbuild';

const require = createRequire(import.meta.url);

/** Loaded when the first of its functions is called. */
const ON_NEED: ReadonlySet<string> = new Set(['node:crypto']);

/**
 * Loads Node's own modules with require(), and of each only the exports that are used. An import reads all of them at
 * once, and some load other modules when they are first read: about a tenth of the time of a run with nothing to do.
 */
export const builtIns: Plugin = {
  name: 'built-ins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'built-in' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'built-in' }, ({ path }) => {
      const name = JSON.stringify(path);
      const keys = Object.keys(require(path) as object).filter((key) => key !== 'default');
      // Pure, so that those which nobody imports are left out.
      const exports = keys.map((key) => `export const ${key} = /* @__PURE__ */ (() => module.${key})();`);
      if (ON_NEED.has(path)) {
        const functions = keys.map(
          (key) => `export const ${key} = (...args) => (module ??= require(${name})).${key}(...args);`,
        );
        return { contents: ['let module;', ...functions].join('\n') };
      }
      return { contents: [`const module = require(${name});`, 'export default module;', ...exports].join('\n') };
    });
  },
};
