/** A test of the tests: builds that are broken on purpose must fail the tests that guard against just that. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';

import { buildMutant, type Replacement } from './support/mutation.ts';

interface Mutant {
  readonly name: string;
  readonly replacements: readonly Replacement[];
  /** Files whose tests "by the command line" must pass without the replacements, and fail with them. */
  readonly killedBy: readonly string[];
}

/** Passes with every mutant: one that does not even run would be killed by anything. */
const ALWAYS_PASSES = 'test/race/already-applied.test.ts';

const LOCK = 'src/adapters/postgres/session/advisory-lock.ts';
const HOLD = 'src/engine/hold-lock.ts';

/** The lock is tried for whatever the check says. */
const WITHOUT_LOOKING: Replacement = {
  file: HOLD,
  from: 'if (check.free && (await session.lock.tryAcquire()))',
  to: 'if (await session.lock.tryAcquire())',
};

/** No transaction asks whether it still has the lock. */
const WITHOUT_FENCE: Replacement = {
  file: 'src/adapters/postgres/session/sql.ts',
  from: '`EXISTS (SELECT 1 FROM pg_catalog.pg_lock_status() l WHERE',
  to: '`true OR EXISTS (SELECT 1 FROM pg_catalog.pg_lock_status() l WHERE',
};

const MUTANTS: readonly Mutant[] = [
  {
    name: 'the lock is never taken',
    replacements: [
      WITHOUT_LOOKING,
      { file: LOCK, from: '`SELECT pg_catalog.pg_try_advisory_lock(${this.key})`', to: '`SELECT true`' },
      WITHOUT_FENCE,
    ],
    killedBy: ['test/race/pending.test.ts', 'test/race/serialisation.test.ts'],
  },
  {
    name: 'waiters block inside PostgreSQL, and nobody cancels them',
    replacements: [
      WITHOUT_LOOKING,
      { file: LOCK, from: '`SELECT pg_catalog.pg_try_advisory_lock(${this.key})`', to: '`SELECT true FROM (SELECT pg_catalog.pg_advisory_lock(${this.key}) OFFSET 0) l`' },
      { file: 'src/engine/apply-statements.ts', from: 'if (unit.waitsForSnapshots) await clearTheWay(context);', to: 'void clearTheWay;' },
    ],
    killedBy: ['test/race/concurrent-index.test.ts'],
  },
  { name: 'there is no fence', replacements: [WITHOUT_FENCE], killedBy: ['test/race/fence.test.ts'] },
];

interface TestResult {
  readonly fullTitle: string;
  readonly file: string;
  /** Why it failed; undefined when it passed. */
  readonly failure: string | undefined;
}

const root = resolve(import.meta.dirname, '..');
const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');

/** Runs the tests of these files that start processes: only those run the build. */
async function runTests(files: readonly string[], { dist, folder, timeoutMs }: { dist: string; folder: string; timeoutMs: number }): Promise<TestResult[]> {
  const output = join(folder, 'results.json');
  // What failing tests keep is of no use here: it goes with the folder and the embedded server.
  const env = { ...process.env, DATABASE_URL: '', LOCKSTEP_DIST: dist, TMPDIR: folder };
  const args = [mocha, '--reporter', 'json', '--reporter-option', `output=${output}`, '--grep', 'by the command line', '--timeout', String(timeoutMs), ...files];
  const { stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8', timeout: 300_000, stdio: ['ignore', 'ignore', 'pipe'] });
  const report = await readFile(output, 'utf8').catch(() => {
    throw new Error(`mocha gave no results:\n${stderr}`);
  });
  const { tests } = JSON.parse(report) as { tests: { fullTitle: string; file: string; err: { message?: string } }[] };
  await rm(output);
  return tests.map(({ fullTitle, file, err }) => ({ fullTitle, file: relative(root, file), failure: err.message?.split('\n', 1)[0] }));
}

/** What is wrong, one line each. */
async function tryBuild({ name, replacements, killedBy }: Mutant, folder: string): Promise<string[]> {
  const dist = join(folder, 'dist');
  await buildMutant(dist, replacements);
  const startedAt = performance.now();
  // Runners that wait for one another for ever are one way to be killed.
  const timeoutMs = replacements.length === 0 ? 60_000 : 30_000;
  const results = await runTests([ALWAYS_PASSES, ...killedBy], { dist, folder, timeoutMs });
  console.log(`\n${name} (${((performance.now() - startedAt) / 1000).toFixed(0)} s)`);
  for (const { fullTitle, failure } of results) console.log(failure === undefined ? `  passed  ${fullTitle}` : `  failed  ${fullTitle}\n          ${failure}`);
  const problems: string[] = [];
  for (const file of [ALWAYS_PASSES, ...killedBy]) {
    const mustFail = replacements.length > 0 && file !== ALWAYS_PASSES;
    const mine = results.filter((result) => result.file === file);
    if (mine.length === 0) problems.push(`${name}: ${file} has no test "by the command line"`);
    for (const { fullTitle, failure } of mine) {
      if ((failure !== undefined) !== mustFail) problems.push(`${name}: ${mustFail ? 'survives' : 'fails'} "${fullTitle}"`);
    }
  }
  return problems;
}

const folder = await mkdtemp(join(tmpdir(), 'lockstep-mutants-'));
try {
  const control: Mutant = { name: 'the build as it is', replacements: [], killedBy: [...new Set(MUTANTS.flatMap(({ killedBy }) => killedBy))] };
  const problems: string[] = [];
  for (const mutant of [control, ...MUTANTS]) problems.push(...(await tryBuild(mutant, folder)));
  for (const problem of problems) console.error(`\n${problem}`);
  console.log(problems.length === 0 ? `\nEvery test passes with the build as it is, and fails with each of ${MUTANTS.length} mutants.` : '');
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
