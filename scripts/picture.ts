// Answers: what does the picture at the top of README.md show? A real run: five replicas start at once, then one meets
// a file with a mistake.
//
//     npm run picture             docs/images/terminal.svg
//     node scripts/picture.ts --screen    the run alone, as text
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildIfOlder } from './demo/fresh-build.ts';
import { executable, killRunners, root } from './demo/runner.ts';
import { say, styled } from './demo/screen.ts';
import { runWave } from './demo/wave.ts';
import { startPostgres } from './postgres/server.ts';
import { terminalSvg } from './picture/terminal-svg.ts';

const PICTURE = join(root, 'docs/images/terminal.svg');
const LABEL =
  'Five replicas run "lockstep up" at once: one applies the migrations, four wait and skip them. A migration with a mistake fails with the file, the line, and a caret below the wrong word.';
const REPLICAS = ['web-1', 'web-2', 'web-3', 'web-4', 'web-5'];

const GOOD = {
  '001_create_users.up.sql':
    'CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL);\n',
  '002_copy_old_users.up.sql':
    "INSERT INTO users (email) SELECT 'user' || n || '@example.com' FROM generate_series(1, 500000) n;\n",
  '003_index_users_email.up.sql': 'CREATE INDEX CONCURRENTLY users_email ON users (email);\n',
};
const BAD = { '004_add_total.up.sql': 'ALTER TABLE users\n  ADD COLUMN total inte;\n' };

async function showRun(): Promise<void> {
  await buildIfOlder();
  const dir = await mkdtemp(join(tmpdir(), 'lockstep-picture-'));
  const server = await startPostgres();
  process.on('exit', killRunners);
  try {
    const { PATH = '', FORCE_COLOR = '' } = process.env;
    const env = { PATH, FORCE_COLOR, DATABASE_URL: `${server.url}?sslmode=disable`, LOCKSTEP_DIR: dir };
    await write(dir, GOOD);
    say(`${styled('dim', '# five replicas start at the same moment')}\n$ lockstep up`);
    const longestVersion = Math.max(...Object.keys(GOOD).map((name) => name.replace('.up.sql', '').length));
    const args = ['up', '--log-format', 'json'];
    const replicas = await runWave(REPLICAS, { args, env, signal: new AbortController().signal, longestVersion });
    if (replicas.some(({ exit }) => exit !== 0)) throw new Error('a replica failed');
    await write(dir, BAD);
    say(`\n${styled('dim', '# the next release has a mistake')}\n$ lockstep up`);
    const failed = ['up', '--log-format', 'text', '--log-level', 'error'];
    say(await stderrOf(failed, env));
  } finally {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function write(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
}

/** Of a run that must fail. */
async function stderrOf(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const failure = await promisify(execFile)(process.execPath, [executable, ...args], { env }).then(
    () => undefined,
    (error: unknown) => error as { readonly stderr: string },
  );
  if (failure === undefined) throw new Error(`lockstep ${args.join(' ')} did not fail`);
  return failure.stderr.trimEnd();
}

if (process.argv.includes('--screen')) await showRun();
else {
  const { stdout } = await promisify(execFile)(process.execPath, [import.meta.filename, '--screen'], {
    env: { ...process.env, FORCE_COLOR: '1' },
  });
  await writeFile(PICTURE, terminalSvg(stdout, LABEL));
  console.log('docs/images/terminal.svg is written anew.');
}
