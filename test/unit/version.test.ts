import { readFile } from 'node:fs/promises';
import { expect } from 'chai';

import { placesOfTheVersion, released } from '../../scripts/release.ts';
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

  it("is the chart's, and the one that it installs", async () => {
    expect(await found('charts/lockstep/Chart.yaml', /^(?:version|appVersion): ["']?([^"'\s]+)/gm)).to.deep.equal([
      VERSION,
      VERSION,
    ]);
  });

  it('is the one of the chart that the examples depend on', async () => {
    for (const name of ['app-chart', 'two-databases'])
      expect(new Set(await found(`examples/${name}/Chart.yaml`, /^ +version: (.+)$/gm)), name).to.deep.equal(
        new Set([VERSION]),
      );
  });

  it('is the newest in the changelog', async () => {
    expect((await found('CHANGELOG.md', /^## \[(\d.*)\] - \d{4}-\d\d-\d\d$/gm))[0]).to.equal(VERSION);
  });

  for (const path of [
    'docs/image.md',
    ...['Dockerfile', 'README.md', 'compose.yaml', 'compose.in-one.yaml'].map(
      (name) => `examples/integration-tests/${name}`,
    ),
  ]) {
    it(`is the image tag in ${path}`, async () => {
      expect(new Set(await found(path, /\blockstep:(\d[\d.]*)/g))).to.deep.equal(new Set([VERSION]));
    });
  }
});

describe('a release', () => {
  const release = { from: VERSION, to: '99.98.97', on: '2099-12-31' };

  it('changes the version everywhere, and no other', async () => {
    const places = placesOfTheVersion();
    expect(places).to.include.members(['Dockerfile', 'docs/helm.md', 'examples/app-chart/Chart.yaml']);
    for (const path of places) {
      const before = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
      const after = released(path, before.replace(/(?<=## \[Unreleased\]\n)/, '\n- An entry.\n'), release);
      if (path === 'CHANGELOG.md')
        expect(after).to.include('## [Unreleased]\n\n## [99.98.97] - 2099-12-31\n\n- An entry.\n');
      else if (path.endsWith('/Chart.yaml') && path.startsWith('examples/'))
        expect(after)
          .to.include(/^version: .*$/m.exec(before)?.[0])
          .and.include('    version: 99.98.97');
      else expect(after.replaceAll('99.98.97', VERSION)).to.equal(before);
    }
  });

  it('leaves versions that only contain it', () => {
    expect(released('docs/x.md', 'a:1.2.3, v1.2.3. 11.2.3 1.2.34 1.2.3.4', { ...release, from: '1.2.3' })).to.equal(
      'a:99.98.97, v99.98.97. 11.2.3 1.2.34 1.2.3.4',
    );
  });

  it('is refused without an entry in the changelog', () => {
    expect(() =>
      released('CHANGELOG.md', '# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-01-01\n', release),
    ).to.throw(/nothing under \[Unreleased\]/);
  });
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
