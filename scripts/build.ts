// Answers: what is shipped? dist/ (the executable, bundled, for the image) and lib/ (the library, for npm).
//   node scripts/build.ts --only-command    dist/ alone, without a code cache: the image's own Node makes that
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';

import { builtIns } from './build/built-ins.ts';
import { cachedScript } from './build/cached-script.ts';
import { makeCodeCache } from './build/code-cache.ts';
import { driver } from './build/driver.ts';
import { firstChunk } from './build/first-chunk.ts';
import { kubernetesClient } from './build/kubernetes-client.ts';
import { buildLibrary } from './build/library.ts';
import { bundledPackages, thirdPartyLicenses } from './build/licenses.ts';
import { SBOM, sbom } from './build/sbom.ts';

const root = resolve(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const shebang = '#!/usr/bin/env node\n';

/** Bundled CommonJS calls require(); under another name, as yargs declares `createRequire` itself. */
export const banner = "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);";

/** Of every bundle, also of those that ours is compared with. */
export const bundleOptions = {
  absWorkingDir: root,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  minify: true,
  // Names stay, so that a stack trace in a log can be read.
  keepNames: true,
  // Node prints the whole line of an uncaught error: keep it short.
  lineLimit: 160,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // The notices are in THIRD-PARTY-LICENSES.txt, once and complete.
  legalComments: 'none',
  logLevel: 'warning',
  // The ES module of a package where there are both: its exports keep their names when loaded with import().
  mainFields: ['module', 'main'],
  external: ['pg-native'],
} satisfies BuildOptions;

const START = 'src/start.ts';
// A worker thread is started by its file's address, so it is a file of its own.
export const HOOK_WORKER = 'src/adapters/postgres/hooks/hook-worker.ts';

/**
 * Bundles the executable into `outDir`, which is emptied first. `plugins` run before esbuild's own reading of files.
 */
export async function buildBundle({ outDir, plugins = [] }: { outDir: string; plugins?: Plugin[] }): Promise<void> {
  await rm(outDir, { recursive: true, force: true });
  await mkdir(outDir, { recursive: true });
  // Apart from all others, so that it shares no chunk with them.
  // In words that an old Node understands as well, so that it can say which one is needed.
  await build({
    ...bundleOptions,
    target: 'node14.8',
    entryPoints: { lockstep: 'src/main.ts' },
    outdir: resolve(outDir),
    plugins: [...plugins, startsOutside],
  });
  const { metafile } = await build({
    ...bundleOptions,
    entryPoints: { start: START, 'hook-worker': HOOK_WORKER },
    outdir: resolve(outDir),
    // Chunks lie flat beside the entries: the parser looks for its WASM in its own folder.
    chunkNames: '[name]-[hash]',
    splitting: true,
    banner: { js: banner },
    define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
    metafile: true,
    plugins: [...plugins, builtIns, driver, firstChunk(START, [HOOK_WORKER]), kubernetesClient],
  });
  await cachedScript(outDir, metafile, START, banner);
  await makeExecutable(join(outDir, 'lockstep.mjs'));
  await copyFile(join(dirname(require.resolve('libpg-query')), 'libpg-query.wasm'), join(outDir, 'libpg-query.wasm'));
  await chmod(join(outDir, 'libpg-query.wasm'), 0o644);
  const packages = await bundledPackages(root, metafile);
  await writeFile(join(outDir, 'THIRD-PARTY-LICENSES.txt'), await thirdPartyLicenses(packages));
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  await writeFile(join(outDir, SBOM), sbom(version, packages));
}

/** The bundle, and what the Node that runs this has compiled of it for a run with nothing to do. */
export async function buildCommand(outDir: string): Promise<void> {
  await buildBundle({ outDir });
  await makeCodeCache(outDir);
}

const startsOutside: Plugin = {
  name: 'start is outside',
  setup(build) {
    build.onResolve({ filter: /^\.\/start\.ts$/ }, () => ({ path: './start.mjs', external: true }));
  },
};

async function makeExecutable(file: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  if (!text.startsWith('#!')) await writeFile(file, shebang + text);
  await chmod(file, 0o755);
}

if (import.meta.main) {
  const outDir = join(root, 'dist');
  const onlyCommand = process.argv.includes('--only-command');
  await (onlyCommand ? buildBundle({ outDir }) : buildCommand(outDir));
  if (!onlyCommand) await buildLibrary(root);
  for (const name of (await readdir(outDir)).sort()) {
    const { size } = await stat(join(outDir, name));
    console.log(`${(size / 1000).toFixed(0).padStart(6)} kB  dist/${name}`);
  }
}
