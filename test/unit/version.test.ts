import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { VERSION } from '../../src/core/version.ts';

describe('version', () => {
  const text = async (path: string): Promise<string> =>
    await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

  /** All matches of the pattern's group in a file. */
  async function found(path: string, pattern: RegExp): Promise<string[]> {
    return [...(await text(path)).matchAll(pattern)].map(([, version = '']) => version);
  }

  it('is the one in package.json', async () => {
    const packageJson = JSON.parse(await text('package.json')) as { version: string };
    expect(VERSION).to.equal(packageJson.version);
  });

  it('is the one in the labels of both images', async () => {
    expect(await found('Dockerfile', /^ARG VERSION=(.+)$/gm)).to.deep.equal([VERSION, VERSION]);
  });

  it('is the one that the chart installs', async () => {
    const chart = await text('charts/lockstep/Chart.yaml').catch(() => undefined);
    if (chart !== undefined) expect(/^appVersion: ["']?([^"'\s]+)/m.exec(chart)?.[1]).to.equal(VERSION);
  });

  for (const path of [
    'docs/image.md',
    ...['Dockerfile', 'README.md', 'compose.yaml', 'compose.in-one.yaml'].map(
      (name) => `examples/integration-tests/${name}`,
    ),
  ]) {
    it(`is the image tag in ${path}`, async () => {
      expect(new Set(await found(path, /\blockstep:(\d[\w.-]*)/g))).to.deep.equal(new Set([VERSION]));
    });
  }
});

describe('Dockerfile', () => {
  it('runs nothing in its last stage, so any processor can build it for every processor', async () => {
    const stages = (await readFile(new URL('../../Dockerfile', import.meta.url), 'utf8')).split(/^FROM /m);
    expect(stages.slice(0, -1).join('')).to.match(/^RUN /m);
    expect(stages.at(-1)).not.to.match(/^RUN /m);
  });

  it('takes all base images as arguments with a registry and a tag by default', async () => {
    const lines = (await readFile(new URL('../../Dockerfile', import.meta.url), 'utf8')).split('\n');
    expect(lines.filter((line) => line.startsWith('FROM '))).to.deep.equal([
      'FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build',
      'FROM --platform=$TARGETPLATFORM ${BUILD_IMAGE} AS bun-build',
      'FROM --platform=$TARGETPLATFORM ${BUN_RUNTIME_IMAGE} AS bun',
      'FROM --platform=$BUILDPLATFORM ${RUNTIME_IMAGE} AS cache',
      'FROM --platform=$TARGETPLATFORM ${RUNTIME_IMAGE}',
    ]);
    for (const line of lines.filter((each) => /^ARG \w+_IMAGE=/.test(each)))
      expect(line).to.match(/=[\w-]+(\.[\w-]+)+\/[\w/-]+:[\w.-]+$/);
  });
});
