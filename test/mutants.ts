/** A test of the tests: builds that are broken on purpose must fail the tests that guard against just that. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';

import { type Mutant, MUTANTS } from './support/mutants.ts';
import { buildMutant } from './support/mutation.ts';

/** Passes with every mutant: one that does not even run would be killed by anything. */
const ALWAYS_PASSES = 'test/race/already-applied.test.ts';

interface TestResult {
  readonly fullTitle: string;
  readonly file: string;
  /** Why it failed; undefined when it passed. */
  readonly failure: string | undefined;
}

const root = resolve(import.meta.dirname, '..');
const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');

/** Runs the tests of these files that start processes: only those run the build. */
async function runTests(
  files: readonly string[],
  { dist, folder, timeoutMs }: { dist: string; folder: string; timeoutMs: number },
): Promise<TestResult[]> {
  const output = join(folder, 'results.json');
  // What failing tests keep is of no use here: it goes with the folder and the embedded server.
  const env = { ...process.env, DATABASE_URL: '', LOCKSTEP_DIST: dist, TMPDIR: folder };
  const args = [
    mocha,
    '--reporter',
    'json',
    '--reporter-option',
    `output=${output}`,
    '--grep',
    'by the command line',
    '--timeout',
    String(timeoutMs),
    ...files,
  ];
  const { stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    env,
    encoding: 'utf8',
    timeout: 300_000,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const report = await readFile(output, 'utf8').catch(() => {
    throw new Error(`mocha gave no results:\n${stderr}`);
  });
  const { tests } = JSON.parse(report) as { tests: { fullTitle: string; file: string; err: { message?: string } }[] };
  await rm(output);
  return tests.map(({ fullTitle, file, err }) => ({
    fullTitle,
    file: relative(root, file),
    failure: err.message?.split('\n', 1)[0],
  }));
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
  for (const { fullTitle, failure } of results)
    console.log(failure === undefined ? `  passed  ${fullTitle}` : `  failed  ${fullTitle}\n          ${failure}`);
  const problems: string[] = [];
  for (const file of [ALWAYS_PASSES, ...killedBy]) {
    const mustFail = replacements.length > 0 && file !== ALWAYS_PASSES;
    const mine = results.filter((result) => result.file === file);
    if (mine.length === 0) problems.push(`${name}: ${file} has no test "by the command line"`);
    for (const { fullTitle, failure } of mine) {
      if ((failure !== undefined) !== mustFail)
        problems.push(`${name}: ${mustFail ? 'survives' : 'fails'} "${fullTitle}"`);
    }
  }
  return problems;
}

const folder = await mkdtemp(join(tmpdir(), 'lockstep-mutants-'));
try {
  const control: Mutant = {
    name: 'the build as it is',
    replacements: [],
    killedBy: [...new Set(MUTANTS.flatMap(({ killedBy }) => killedBy))],
  };
  const problems: string[] = [];
  for (const mutant of [control, ...MUTANTS]) problems.push(...(await tryBuild(mutant, folder)));
  for (const problem of problems) console.error(`\n${problem}`);
  console.log(
    problems.length === 0
      ? `\nEvery test passes with the build as it is, and fails with each of ${MUTANTS.length} mutants.`
      : '',
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
