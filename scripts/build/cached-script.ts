/** Answers: how is the chunk loaded that every run needs? As a script, for which V8 keeps what it has compiled. */
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { transform, type Metafile } from 'esbuild';

/**
 * Stands in the chunk's place and gives what it exports. The cache beside the script is used if this very version of
 * Node has made it (code-cache.ts) and V8 accepts it; otherwise the script is compiled, and nobody hears of it. V8's
 * own cache of modules would not do: it keeps what a module's loading compiles, and not what a run does.
 */
const FACADE = `import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const filename = import.meta.filename.replace(/mjs$/, 'cjs');
let cachedData;
try {
  if (!process.env.NODE_DISABLE_COMPILE_CACHE) cachedData = readFileSync(\`\${filename}.\${process.version}-\${process.arch}\`);
} catch {}
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData });
const module = { exports: {} };
script.runInThisContext()(module, require, import.meta.url, (specifier) => import(specifier));
export const codeCache = () => script.createCachedData();
export const { cachedDataRejected } = script;
`;

/** Makes a script of the chunk that has `source` in it. */
export async function cachedScript(outDir: string, { outputs }: Metafile, source: string, banner: string): Promise<void> {
  const found = Object.entries(outputs).find(([, { inputs }]) => (inputs[source]?.bytesInOutput ?? 0) > 0);
  if (!found || found[1].imports.some(({ kind }) => kind === 'import-statement')) throw new Error(`${source} is not in one chunk with all that it imports`);
  const [path, { exports }] = found;
  const file = join(outDir, basename(path));
  const text = (await readFile(file, 'utf8')).replace(banner, '');
  const { code } = await transform(text, { format: 'cjs', platform: 'node', target: 'node24', minifyWhitespace: true, lineLimit: 160, define: { 'import.meta.url': '__url' } });
  // What a script imports is none of Node's business; the facade does it.
  const script = code.replaceAll(/\bimport\(/g, '__import(');
  if (/import\.meta|[^\x00-\x7f]/.test(script)) throw new Error(`${file} needs what a script does not have`);
  await writeFile(file.replace(/mjs$/, 'cjs'), `(function(module,require,__url,__import){${script}})`);
  await writeFile(file, `${FACADE}export const { ${exports.join(', ')} } = module.exports;\n`);
}
