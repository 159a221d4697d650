// Answers: where is the version written? `npm version 1.2.3 --no-git-tag-version` runs this after package.json has it, so
// that the chart, the image, the pages and the changelog agree; the result is for a review. A tag then releases.
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');

/** Every version there is ours. */
const OURS = [
  'src/core/version.ts',
  'Dockerfile',
  'README.md',
  'charts/lockstep/Chart.yaml',
  'examples/integration-tests',
  'docs/*.md',
];
/** They depend on our chart, and have versions of their own. */
const DEPENDENTS = 'examples/*/Chart.yaml';
const CHANGELOG = 'CHANGELOG.md';

interface Release {
  readonly from: string;
  readonly to: string;
  /** As YYYY-MM-DD. */
  readonly on: string;
}

/** The text of a file in that release. @throws Error for a changelog without entries. */
export function released(path: string, text: string, { from, to, on }: Release): string {
  if (path === CHANGELOG) {
    const unreleased = /^## \[Unreleased\]\n(?=\s*[^\s#]|\s*###)/m;
    if (!unreleased.test(text))
      throw new Error(`${CHANGELOG} has nothing under [Unreleased]: say what users will notice`);
    return text.replace(unreleased, `## [Unreleased]\n\n## [${to}] - ${on}\n`);
  }
  const version = new RegExp(`(?<![\\d.])${from.replaceAll('.', '\\.')}(?![\\d.]*\\d)`, 'g');
  const [own, dependencies] = /^examples\/[^/]+\/Chart\.yaml$/.test(path)
    ? text.split(/(?=^dependencies:)/m)
    : ['', text];
  return `${own ?? ''}${dependencies?.replaceAll(version, to) ?? ''}`;
}

/** Paths from the root. */
export function placesOfTheVersion(): readonly string[] {
  const list = execFileSync('git', ['ls-files', '--', ...OURS, DEPENDENTS, CHANGELOG], { cwd: ROOT, encoding: 'utf8' });
  return list.split('\n').filter((path) => path !== '');
}

if (import.meta.main) {
  const { npm_old_version: from, npm_new_version: to } = process.env;
  if (!from || !to) throw new Error('npm runs this: npm version 1.2.3 --no-git-tag-version');
  const release = { from, to, on: new Date().toISOString().slice(0, 10) };
  // Nothing is written if a file refuses.
  const texts = await Promise.all(
    placesOfTheVersion().map(
      async (path) => [path, released(path, await readFile(join(ROOT, path), 'utf8'), release)] as const,
    ),
  );
  for (const [path, text] of texts) await writeFile(join(ROOT, path), text);
  for (const script of ['docs', 'chart'])
    execFileSync('npm', ['run', '--silent', script], { cwd: ROOT, stdio: 'inherit' });
}
