// Answers: what follows from the chart? Writes the values in its README, the manifests in k8s/ and the golden files
// anew; test/chart/generated.test.ts fails when they differ.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { generatedFiles } from './chart/generated.ts';
import { findHelm } from './chart/helm.ts';

const ROOT = resolve(import.meta.dirname, '..');

const helm = await findHelm();
if (!helm) throw new Error('There is no Helm on the PATH: install it, or name it in the variable HELM.');

for (const [path, text] of await generatedFiles(helm)) {
  const file = join(ROOT, path);
  if ((await readFile(file, 'utf8').catch(() => '')) === text) continue;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  console.log(`${path} is written anew.`);
}
