/**
 * Answers: which tests are no concern of an executable that brings its own runtime? Those about the files that Node runs:
 * they say nothing about what LOCKSTEP_TEST_EXECUTABLE or LOCKSTEP_TEST_TARGET names.
 */

/** By file, what the titles begin with; all of a file without them. */
const ONLY_NODE: Readonly<Record<string, readonly string[]>> = {
  'test/bounds/memory.test.ts': ['the memory of a run stays below 128 MiB with 50,000 applied files, where V8'],
  'test/command/ci.test.ts': ['reviews in CI by action.yml'],
  'test/command/code-cache.test.ts': [],
  'test/command/events.test.ts': ['Kubernetes Events without the Kubernetes client'],
  'test/command/old-node.test.ts': [],
  // Of npm.
  'test/command/pack.test.ts': [],
  // Run `node dist/lockstep.mjs`, as the page has it.
  'test/command/pages.test.ts': [],
  'test/command/picture.test.ts': [],
  'test/command/watch.test.ts': ['watching is not loaded unless it is asked for'],
  'test/exit-codes/bugs.test.ts': ['an installation that lacks a file'],
  'test/exit-codes/exit-codes.test.ts': ['people', 'machines'].map(
    (who) => `exit code 1, for ${who}: a damaged installation: the SQL parser is gone`,
  ),
  // Bun makes an executable for the processor that it runs on.
  'test/image/layers.test.ts': ['the layers of the image are built for another processor'],
  'test/scripts/bench.test.ts': [],
  'test/scripts/demo.test.ts': [],
};

export function isOnlyForNode(test: Mocha.Test): boolean {
  return Object.entries(ONLY_NODE).some(
    ([file, titles]) =>
      test.file?.endsWith(`/${file}`) === true &&
      (titles.length === 0 || titles.some((title) => test.fullTitle().startsWith(title))),
  );
}
