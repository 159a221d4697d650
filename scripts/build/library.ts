/**
 * Answers: what is the library on npm? One CommonJS file, which Node, Jest and every bundler load, an ES module that
 * passes its exports on (so that there is one MigratorError however it is loaded), and types for both.
 */
import { execFileSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);

/**
 * Makes lib/ anew: index.cjs, index.js and index.d.ts, and in types/ the declarations of src/index.ts and what it
 * imports.
 */
export async function buildLibrary(root: string): Promise<void> {
  const lib = join(root, 'lib');
  await rm(lib, { recursive: true, force: true });
  execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')], {
    stdio: 'inherit',
  });
  await build({
    absWorkingDir: root,
    entryPoints: ['src/index.ts'],
    outfile: join(lib, 'index.cjs'),
    bundle: true,
    packages: 'external',
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    keepNames: true,
    logLevel: 'warning',
    define: { 'import.meta.url': '__url' },
    banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
  });
  const names = Object.keys(require(join(lib, 'index.cjs')) as object).sort();
  await writeFile(join(lib, 'index.js'), `export { ${names.join(', ')} } from './index.cjs';\n`);
  await writeFile(join(lib, 'index.d.ts'), "export * from './types/index.js';\n");
  // The declarations are those of the CommonJS file: TypeScript lets an ES module import from such, and not the other
  // way.
  await writeFile(join(lib, 'types/package.json'), '{ "type": "commonjs" }\n');
}
