import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect } from 'chai';

import { generatedFiles } from '../../scripts/chart/generated.ts';
import { requireHelm } from './support/helms.ts';

const root = resolve(import.meta.dirname, '../..');

describe('files generated from the chart', () => {
  it('are up to date: README, k8s/, golden files (else: npm run chart)', async function () {
    const stale: string[] = [];
    const files = await generatedFiles(await requireHelm(this));
    for (const [path, text] of files)
      if ((await readFile(join(root, path), 'utf8').catch(() => '')) !== text) stale.push(path);
    expect(stale).to.deep.equal([]);
    expect([...files.keys()])
      .to.include('k8s/job.yaml')
      .and.to.include('charts/lockstep/README.md');
  });
});
