import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

import { makeCodeCache } from '../../scripts/build/code-cache.ts';
import { distFolder, runCli } from '../support/cli.ts';
import { useWorkspace } from '../support/workspace.ts';

const CACHE = /\.cjs\.v[\d.]+-\w+$/;

describe('the V8 code cache of a run with nothing pending', function () {
  this.timeout(60_000);
  const workspace = useWorkspace();
  let dist: string;
  let cache: string;

  beforeEach(async () => {
    dist = await mkdtemp(join(tmpdir(), 'lockstep-dist-'));
    await cp(distFolder(), dist, { recursive: true, filter: (file) => !CACHE.test(file) });
    await makeCodeCache(dist);
    cache = join(dist, (await readdir(dist)).find((name) => CACHE.test(name)) ?? '');
  });

  afterEach(() => rm(dist, { recursive: true }));

  /** Undefined when this Node has no code cache; true when V8 rejects it. */
  async function isRejected(): Promise<string> {
    const chunk = pathToFileURL(cache.replace(/cjs\.[^/]*$/, 'mjs')).href;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      `console.log((await import(${JSON.stringify(chunk)})).cachedDataRejected)`,
    ]);
    return stdout.trim();
  }

  async function expectToRun(): Promise<void> {
    await workspace().write({ '1_a.up.sql': 'CREATE TABLE a ()' });
    for (const line of ['  up 1_a\nDone.\n', '  skip 1 migration (already applied)\nDone.\n']) {
      const { code, stdout, stderr } = await runCli(['up'], { env: workspace().env, dist });
      expect(code, stderr).to.equal(0);
      expect(stdout).to.equal(line);
    }
  }

  it('is used by the Node version that created it', async () => {
    expect(await isRejected()).to.equal('false');
    await expectToRun();
  });

  it('is ignored when another Node version created it', async () => {
    await rename(cache, cache.replace(/v[\d.]+/, 'v24.0.0'));
    expect(await isRejected()).to.equal('undefined');
    await expectToRun();
  });

  it('is ignored when it is truncated or is not a code cache', async () => {
    await truncate(cache, 100_000);
    expect(await isRejected()).to.equal('true');
    await expectToRun();
    await writeFile(cache, 'x');
    expect(await isRejected()).to.equal('true');
  });
});
