/** The content of the image, its size, and that it is the same for every processor. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { buildLockstep, IS_BUN, LOCKSTEP, REPOSITORY, useLockstepImage } from './support/lockstep-image.ts';
import { makeRuntimes, RUNTIMES } from './support/stand-ins.ts';
import { output } from './support/tool.ts';

/** In bytes; docs/image.md names them. */
const MAX_UNPACKED = IS_BUN ? 125_000_000 : 4_400_000;
const MAX_COMPRESSED = IS_BUN ? 60_000_000 : 1_300_000;
const FILES = IS_BUN ? ['app/lockstep'] : ['app/lockstep.mjs', 'app/hook-worker.mjs', 'app/libpg-query.wasm'];
const PROGRAM = `/${FILES[0]}`;
const COMMAND = IS_BUN ? [PROGRAM] : ['/nodejs/bin/node', '--max-semi-space-size=4', '--', PROGRAM];

interface Entry {
  readonly mode: string;
  readonly owner: string;
  readonly size: number;
  readonly path: string;
}

interface Layer {
  readonly compressed: number;
  readonly entries: readonly Entry[];
}

/** An OCI descriptor. */
interface Blob {
  readonly digest: string;
  readonly size: number;
}

interface Layout {
  readonly config: {
    readonly architecture: string;
    readonly config: {
      readonly User: string;
      readonly Env: string[];
      readonly Entrypoint: string[];
      readonly Cmd?: string[];
      readonly Labels: Record<string, string>;
    };
  };
  readonly layers: readonly Layer[];
}

describe('the layers of the image', () => {
  const image = useLockstepImage();
  let layout: Layout | undefined;

  before(async function () {
    this.timeout(120_000);
    layout = await readLayout(LOCKSTEP, 'own');
  });

  async function readLayout(name: string, folder: string): Promise<Layout> {
    const place = join(image().store.folder, `layout-${folder}`);
    await image().store.saveLayout(name, place);
    const blob = (digest: string): string => join(place, 'blobs', ...digest.split(':'));
    const index = JSON.parse(await readFile(join(place, 'index.json'), 'utf8')) as { manifests: Blob[] };
    const manifest = JSON.parse(await readFile(blob(index.manifests[0]!.digest), 'utf8')) as {
      config: Blob;
      layers: Blob[];
    };
    const layers = await Promise.all(
      manifest.layers.map(async ({ digest, size }) => ({ compressed: size, entries: await list(blob(digest)) })),
    );
    return { config: JSON.parse(await readFile(blob(manifest.config.digest), 'utf8')), layers };
  }

  it('are those of the base and one more, with /app and an empty /migrations', () => {
    const { layers } = layout!;
    expect(layers).to.have.length(2);
    const outside = layers[1]!.entries.filter(({ path }) => !path.startsWith('app/') && path !== 'migrations/');
    expect(outside).to.deep.equal([]);
    expect(layers[1]!.entries.map(({ path }) => path)).to.include.members([
      ...FILES,
      'app/LICENSE',
      'app/THIRD-PARTY-LICENSES.txt',
    ]);
  });

  it('belong to root, and no other user can write /app', () => {
    for (const { path, owner, mode } of layout!.layers[1]!.entries) {
      expect(owner, path).to.equal('0/0');
      if (path.startsWith('app/'))
        expect(mode, path).to.match(path.endsWith('/') || `/${path}` === PROGRAM ? /^.r-xr-xr-x$/ : /^-r--r--r--$/);
    }
  });

  it(`add at most ${MAX_UNPACKED / 1e6} MB, ${MAX_COMPRESSED / 1e6} MB compressed`, () => {
    const { entries, compressed } = layout!.layers[1]!;
    const unpacked = entries.reduce((sum, { size }) => sum + size, 0);
    console.log(`        ${(unpacked / 1e6).toFixed(2)} MB unpacked, ${(compressed / 1e6).toFixed(2)} MB compressed`);
    expect(unpacked).to.be.greaterThan(1_000_000).and.at.most(MAX_UNPACKED);
    expect(compressed).to.be.greaterThan(100_000).and.at.most(MAX_COMPRESSED);
  });

  it('have a numeric user, the directory, labels, and no command', async () => {
    const { version } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string };
    const { User, Env, Entrypoint, Cmd, Labels } = layout!.config.config;
    expect(User).to.equal('65532:65532');
    expect(Env).to.include('LOCKSTEP_DIR=/migrations');
    expect(Entrypoint).to.deep.equal(COMMAND);
    expect(Cmd ?? []).to.deep.equal([]);
    expect(Labels).to.include({
      'org.opencontainers.image.title': 'Lockstep',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    });
    expect((await image().run(['--version'])).stdout.trim()).to.equal(version);
  });

  it('are built for another processor without running anything on it', async () => {
    const [platform, architecture] = process.arch === 'arm64' ? ['linux/amd64', 'amd64'] : ['linux/arm64', 'arm64'];
    await makeRuntimes(image().store, platform);
    await buildLockstep(image().store, `${LOCKSTEP}-${architecture}`, { platform, runtime: RUNTIMES });
    const other = await readLayout(`${LOCKSTEP}-${architecture}`, architecture);
    expect(other.config.architecture).to.equal(architecture);
    expect(other.config.config).to.deep.equal(layout!.config.config);
    expect(other.layers[1]!.entries).to.deep.equal(layout!.layers[1]!.entries);
  }).timeout(15 * 60_000);
});

async function list(tar: string): Promise<Entry[]> {
  const lines = (await output('tar', ['--list', '--verbose', '--numeric-owner', '--file', tar])).split('\n');
  return lines.map((line) => {
    const [mode = '', owner = '', size = '', , , ...path] = line.split(/\s+/);
    return { mode, owner, size: Number(size), path: path.join(' ') };
  });
}
