/** Answers: which files are made of the chart, and what is in them? */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { CHART, renderText, type Helm } from './helm.ts';
import { plainManifests, withExample } from './plain-manifests.ts';
import { valuesTable } from './values-table.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const README = 'charts/lockstep/README.md';
const BEGIN = '<!-- generated: values (npm run chart) -->';
const END = '<!-- end of values -->';

/** Of the ci values, those that are kept as they are rendered, so that a change of a template shows in a review. */
const GOLDEN = ['minimal', 'job', 'argocd', 'auto-rollback', 'everything', 'fleet', 'argocd-fleet'];

/** Contents by path from the root of the repository. */
export async function generatedFiles(helm: Helm): Promise<Map<string, string>> {
  const files = new Map([
    [
      README,
      withValues(await readFile(join(ROOT, README), 'utf8'), await readFile(join(CHART, 'values.yaml'), 'utf8')),
    ],
  ]);
  for (const [name, text] of await plainManifests(helm)) files.set(`k8s/${name}`, text);
  for (const name of GOLDEN)
    files.set(
      `test/chart/golden/${name}.yaml`,
      await renderText(helm, { values: join(CHART, `ci/${name}-values.yaml`) }),
    );
  files.set('test/chart/golden/example.yaml', await withExample(helm, async (chart) => renderText(helm, { chart })));
  return files;
}

/** The values files that the chart is tried with. */
export async function ciValues(): Promise<string[]> {
  const names = await readdir(join(CHART, 'ci'));
  return names.filter((name) => name.endsWith('-values.yaml')).map((name) => join(CHART, 'ci', name));
}

/** Values for a kind of database or Secret: the files in examples/values. */
export async function exampleValues(): Promise<string[]> {
  const folder = join(ROOT, 'examples/values');
  return (await readdir(folder)).map((name) => join(folder, name));
}

/** The README with its table made anew. @throws Error where it has no place for it. */
export function withValues(readme: string, valuesYaml: string): string {
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END, from);
  if (from === -1 || to === -1) throw new Error(`${README} has no place for the values: ${BEGIN} … ${END}`);
  return `${readme.slice(0, from)}${BEGIN}\n${valuesTable(valuesYaml)}\n${readme.slice(to)}`;
}
