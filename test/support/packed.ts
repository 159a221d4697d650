/** The package as npm would publish it, built from a clean clone and unpacked next to only its own dependencies. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const PACK_MS = 120_000;

export interface Packed {
  /** An application's directory, with the package in its node_modules. */
  readonly app: string;
  /** `node_modules/lockstep` in it. */
  readonly package: string;
  readonly remove: () => Promise<void>;
}

interface PackageJson {
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Packs the last commit. @throws Error when packing has not ended after two minutes; it takes about ten seconds. */
export async function packAndUnpack(): Promise<Packed> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'lockstep-pack-')));
  const [clone, app] = [join(folder, 'clone'), join(folder, 'app')];
  await run('git', ['clone', '--quiet', '--depth', '1', `file://${ROOT}`, clone]);
  await symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  // Its prepack builds dist/ and lib/.
  await run('npm', ['pack', '--offline', '--pack-destination', folder], { cwd: clone, timeout: PACK_MS });
  const home = join(app, 'node_modules', 'lockstep');
  await mkdir(home, { recursive: true });
  await run('sh', ['-c', `tar -xzf ../*.tgz -C "$1" --strip-components 1`, 'sh', home], { cwd: clone });
  await copyDependencies(home, join(app, 'node_modules'));
  await writeFile(join(app, 'package.json'), '{ "type": "module" }\n');
  return { app, package: home, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Copies instead of links: a linked package would resolve modules that are installed only in the repository. */
async function copyDependencies(of: string, to: string, seen = new Set<string>()): Promise<void> {
  const { dependencies = {} } = JSON.parse(await readFile(join(of, 'package.json'), 'utf8')) as PackageJson;
  for (const name of Object.keys(dependencies)) {
    if (seen.has(name)) continue;
    seen.add(name);
    await cp(join(ROOT, 'node_modules', name), join(to, name), { recursive: true });
    await copyDependencies(join(to, name), to, seen);
  }
}
