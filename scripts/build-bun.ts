// Answers: how is the command built as one executable, with Bun in it instead of Node? Into dist-bun/, from the same sources.
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

import { banner, bundleOptions, HOOK_WORKER } from './build.ts';
import { bunNotices, bunParts } from './build/bun/parts.ts';
import { kubernetesClient } from './build/kubernetes-client.ts';
import { bundledPackages, thirdPartyLicenses } from './build/licenses.ts';
import { SBOM, sbom } from './build/sbom.ts';
import { installApart } from './build/install-apart.ts';

const root = resolve(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const WASM = 'libpg-query.wasm';

/**
 * esbuild first: Bun's own bundler would put a stub in the place of undici, which ignores the cluster's CA
 * (oven-sh/bun#38840), and the path of this folder in the place of __dirname.
 */
async function buildExecutable(outfile: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-bun-'));
  try {
    const { metafile } = await build({
      ...bundleOptions,
      minify: false,
      entryPoints: { lockstep: 'src/main.ts', 'hook-worker': HOOK_WORKER },
      outdir: folder,
      chunkNames: '[name]-[hash]',
      splitting: true,
      banner: { js: banner },
      define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
      metafile: true,
      plugins: [kubernetesClient, insteadOfNode],
    });
    await copyFile(join(dirname(require.resolve('libpg-query')), WASM), join(folder, WASM));
    await rm(dirname(outfile), { recursive: true, force: true });
    await mkdir(dirname(outfile), { recursive: true });
    execFileSync(bun(), ['build', 'lockstep.mjs', 'hook-worker.mjs', ...OPTIONS, `--outfile=${outfile}`], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const packages = await bundledPackages(root, metafile);
    const { version } = require(join(root, 'package.json')) as { version: string };
    await writeFile(
      join(dirname(outfile), 'THIRD-PARTY-LICENSES.txt'),
      await thirdPartyLicenses(packages, bunNotices()),
    );
    await writeFile(join(dirname(outfile), SBOM), sbom(version, packages, bunParts()));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The differences from the build for Node, all of them. */
const insteadOfNode: Plugin = {
  name: 'instead of node',
  setup(build) {
    const own = (name: string): string => join(root, 'scripts/build/bun', name);
    build.onLoad({ filter: /\/src\/main\.ts$/ }, async ({ path }) => ({
      contents: `import ${JSON.stringify(own('streams.ts'))};${await readFile(path, 'utf8')}`,
      loader: 'ts',
    }));
    build.onResolve({ filter: /\/hook-memory\.ts$/ }, () => ({ path: own('hook-memory.ts') }));
  },
};

const OPTIONS = [
  '--compile',
  '--target=bun',
  '--format=esm',
  '--splitting',
  '--external=pg-native',
  // What is parsed at the build need not be at each start: a run with nothing to do takes a third of the time.
  '--bytecode',
  // A short run ends before a compiler pays off: machine code is made later than in a server.
  '--compile-jit-policy=200',
  // The entry of the hooks' thread and the parser's WebAssembly, under the names that the code looks for.
  '--entry-naming=[name].mjs',
  `--asset=${WASM}`,
  // Only --env-file reads an .env, and nothing changes what runs but its arguments and environment.
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--no-compile-autoload-tsconfig',
  // The packages that a hook imports are found by theirs.
  '--compile-autoload-package-json',
];

/** The program of the pinned version, for this machine: its package has one for each, and a script that chooses. */
function bun(): string {
  const home = join(root, 'scripts/build/bun');
  installApart(home, console.error);
  const arch = process.arch === 'arm64' ? 'aarch64' : process.arch;
  return join(home, 'node_modules', '@oven', `bun-${process.platform}-${arch}`, 'bin', 'bun');
}

const outfile = join(root, 'dist-bun', 'lockstep');
await buildExecutable(outfile);
console.log(`${((await stat(outfile)).size / 1e6).toFixed(0).padStart(6)} MB  dist-bun/lockstep`);
