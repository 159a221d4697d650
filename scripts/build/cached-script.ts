/** Answers: how is the chunk loaded that every run needs? As a script, for which V8 keeps what it has compiled. */
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { transform, type Metafile } from 'esbuild';

/**
 * Stands in the entry's place, and gives what it and the chunk export: one module more would take a millisecond to
 * load. The cache beside the script is used if this very version of Node has made it (code-cache.ts) and V8 accepts it;
 * otherwise the script is compiled, and nobody hears of it. V8's own cache of modules would not do: it keeps what a
 * module's loading compiles, and not what a run does.
 */
const FACADE = `import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const filename = \`\${import.meta.dirname}/SCRIPT\`;
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
export async function cachedScript(
  outDir: string,
  { outputs }: Metafile,
  source: string,
  banner: string,
): Promise<void> {
  const found = Object.entries(outputs).find(([, { inputs }]) => (inputs[source]?.bytesInOutput ?? 0) > 0);
  if (!found || found[1].imports.some(({ kind }) => kind === 'import-statement'))
    throw new Error(`${source} is not in one chunk with all that it imports`);
  const [path, { exports }] = found;
  const file = join(outDir, basename(path));
  const text = (await readFile(file, 'utf8')).replace(banner, '');
  const { code } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    minifyWhitespace: true,
    lineLimit: 160,
    define: { 'import.meta.url': '__url' },
  });
  // What a script imports is none of Node's business; the facade does it.
  const script = code.replaceAll(/\bimport\(/g, '__import(');
  if (/import\.meta|[^\x00-\x7f]/.test(script)) throw new Error(`${file} needs what a script does not have`);
  await writeFile(file.replace(/mjs$/, 'cjs'), `(function(module,require,__url,__import){${script}})`);
  const entry = join(outDir, basename(source).replace(/ts$/, 'mjs'));
  const facade = FACADE.replace('SCRIPT', basename(file).replace(/mjs$/, 'cjs'));
  await writeFile(
    entry,
    `${facade}export const { ${exports.join(', ')}, ${renamed(await readFile(entry, 'utf8'))} } = module.exports;\n`,
  );
  await writeFile(file, `export * from './${basename(entry)}';\n`);
}

/** What an entry only passes on, as a pattern: `import{a as b}from…;export{b as start}` gives `a: start`. */
function renamed(entry: string): string {
  const words = (keyword: string): [string, string][] => {
    const list = new RegExp(`\\b${keyword}\\{([^}]*)\\}`).exec(entry.slice(entry.lastIndexOf('import{')))?.[1] ?? '';
    return list
      .split(',')
      .map((pair): [string, string] => [pair.split(' as ')[0] ?? '', pair.split(' as ').at(-1) ?? '']);
  };
  const inChunk = new Map(words('import').map(([name, local]) => [local, name]));
  return words('export')
    .map(([local, name]) => `${inChunk.get(local)}: ${name}`)
    .join(', ');
}
