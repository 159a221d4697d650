/** Which files of a directory are new since a git ref? Asks the program `git`. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { MigratorError } from '../../core/errors.ts';

const run = promisify(execFile);
const MOST_BYTES = 64 * 2 ** 20;

/**
 * Their names without the directory; files that git does not know yet are new too.
 * @throws MigratorError CONFIG_INVALID without git, a repository or the ref.
 */
export async function newFilesSince(ref: string, dir: string): Promise<ReadonlySet<string>> {
  const git = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run('git', ['-C', dir, ...args], { maxBuffer: MOST_BYTES });
    return stdout;
  };
  try {
    // A ref that begins with a dash stays a ref.
    const commit = (await git('rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`)).trim();
    const base = await branchPoint(git, commit);
    const added = await git(
      'diff',
      '--name-only',
      '--relative',
      '--no-renames',
      '--diff-filter=A',
      '-z',
      base,
      '--',
      '.',
    );
    const unknown = await git('ls-files', '--others', '-z', '--', '.');
    return new Set(`${added}${unknown}`.split('\0').filter((name) => name !== ''));
  } catch (cause) {
    throw new MigratorError(
      'CONFIG_INVALID',
      `--since: git cannot say which files are new since ${JSON.stringify(ref)}`,
      {
        cause,
        problems: [whyNot(cause)],
        hint: 'it needs the program git, a repository and the ref (in CI fetch it first); or use --newer-than VERSION',
      },
    );
  }
}

/** Where the branch left the ref: what the ref has got since is not missing here. A shallow clone may not know. */
async function branchPoint(git: (...args: readonly string[]) => Promise<string>, commit: string): Promise<string> {
  try {
    return (await git('merge-base', commit, 'HEAD')).trim();
  } catch {
    return commit;
  }
}

function whyNot(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if ('code' in cause && cause.code === 'ENOENT') return 'there is no program git here';
  const said = 'stderr' in cause ? String(cause.stderr).trim() : '';
  return said === '' ? 'there is no such ref' : said;
}
