/** Images and containers of the tests' own: a folder with settings for buildah and podman, which leave nothing elsewhere. */
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { atEnd } from '../../support/cleanup.ts';
import { output, runTool, type ToolOptions, type ToolResult } from './tool.ts';

interface BuildOptions {
  /** The folder that the build sees. */
  readonly context: string;
  /** Whole, else the context's own Dockerfile. */
  readonly dockerfile?: string;
  readonly args?: Readonly<Record<string, string>>;
  /** `linux/arm64`; the machine's own without it. */
  readonly platform?: string;
  /** Uses finished steps of an earlier build again, and makes each step a layer. */
  readonly cached?: boolean;
}

const PREFIX = 'lockstep-images-';

const NATIVE = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;

/**
 * runc, and limits that any process may set: others may only be had with more rights than a container has. Locks in
 * files: those in shared memory belong to every podman of the machine.
 */
const containersConf = (folder: string): string => `
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
lock_type = "file"
tmp_dir = "${folder}/libpod"
[network]
network_config_dir = "${folder}/networks"
`;

const storageConf = (folder: string): string => `
[storage]
driver = "overlay"
graphroot = "${folder}/images"
runroot = "${folder}/run"
`;

export class ContainerStore {
  readonly folder: string;
  /** What every program that works on this store needs. */
  readonly env: Readonly<Record<string, string>>;

  constructor(folder: string) {
    this.folder = folder;
    this.env = {
      CONTAINERS_CONF: join(folder, 'containers.conf'),
      CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
      // The build's commands run without namespaces of their own, which not every machine may make.
      BUILDAH_ISOLATION: 'chroot',
    };
  }

  /** Removed at the end of the tests. */
  static async create(): Promise<ContainerStore> {
    await removeLeftovers();
    const store = new ContainerStore(await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`)));
    atEnd(() => store.remove());
    await mkdir(join(store.folder, 'networks'));
    await writeFile(store.env['CONTAINERS_CONF'] ?? '', containersConf(store.folder));
    await writeFile(store.env['CONTAINERS_STORAGE_CONF'] ?? '', storageConf(store.folder));
    return store;
  }

  /** Nothing is pulled: each image it begins with is in this store. */
  async build(name: string, { context, dockerfile, args = {}, platform, cached = false }: BuildOptions): Promise<void> {
    const file = join(this.folder, 'Dockerfile');
    if (dockerfile !== undefined) await writeFile(file, dockerfile);
    await output(
      'buildah',
      [
        'bud',
        '--pull-never',
        `--layers=${cached}`,
        `--tag=${name}`,
        ...(dockerfile === undefined ? [] : [`--file=${file}`]),
        // Without a time the same content is the same layer in each run, which a node has already. But an older buildah would
        // then take finished steps of one platform for another's, and it takes the platform that is built for to be the builder's.
        ...(platform === undefined
          ? ['--timestamp=0']
          : [`--platform=${platform}`, `--build-arg=BUILDPLATFORM=${NATIVE}`]),
        ...Object.entries(args).map(([key, value]) => `--build-arg=${key}=${value}`),
        context,
      ],
      { env: this.env, timeoutMs: 10 * 60_000 },
    );
  }

  /** One name for images of several platforms. */
  async list(name: string, images: readonly string[]): Promise<void> {
    await output('buildah', ['manifest', 'create', name, ...images], { env: this.env });
  }

  async podman(args: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
    return await runTool('podman', args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** @throws Error when it fails. */
  async podmanOutput(...args: readonly string[]): Promise<string> {
    return await output('podman', args, { env: this.env });
  }

  /** As one file, which other engines can load. */
  async save(name: string, file: string): Promise<void> {
    await output('buildah', ['push', '--quiet', name, `docker-archive:${file}:${name}`], { env: this.env });
  }

  /** As an OCI layout, where manifest and layers are files. */
  async saveLayout(name: string, folder: string): Promise<void> {
    await output('buildah', ['push', '--quiet', name, `oci:${folder}:image`], { env: this.env });
  }

  async remove(): Promise<void> {
    await this.podman(['rm', '--all', '--force', '--time=0']);
    await this.podman(['rmi', '--all', '--force']);
    // The driver of the store keeps its folder mounted on itself.
    await runTool('umount', [join(this.folder, 'images', 'overlay')]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** What a run that was killed could not put away: a gigabyte, and mounts. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const maker = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : NaN;
    if (Number.isNaN(maker) || (await stat(`/proc/${maker}`).catch(() => undefined))) continue;
    await new ContainerStore(join(tmpdir(), name)).remove();
  }
}
