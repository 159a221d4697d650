import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { VERSION } from '../../src/version.ts';

describe('version', () => {
  it('is the one in package.json', async () => {
    const packageJson = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
    expect(VERSION).to.equal(packageJson.version);
  });
});
