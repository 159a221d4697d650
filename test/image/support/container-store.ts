/**
 * Images and containers for the tests only: a folder with settings for buildah and podman, which write nothing
 * elsewhere.
 */
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { atEnd } from '../../support/cleanup.ts';
import { output, runTool, type ToolOptions, type ToolResult } from './tool.ts';

interface BuildOptions {
  /** The build context. */
  readonly context: string;
  /** The text of a Dockerfile; default: the context's own Dockerfile. */
  readonly dockerfile?: string;
  readonly args?: Readonly<Record<string, string>>;
  /** A stage of the Dockerfile; default: the last one. */
  readonly target?: string;
  /** For example `linux/arm64`; default: the machine's own. */
  readonly platform?: string;
  /** Reuses finished steps of an earlier build, and makes each step a layer. */
  readonly cached?: boolean;
}

const PREFIX = 'lockstep-images-';

const NATIVE = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;

/**
 * runc, and limits that any process may set: higher ones need more privileges than a container has. Locks in files,
 * because every podman of the machine shares those in memory.
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
  /** The environment of every program that works on this store. */
  readonly env: Readonly<Record<string, string>>;

  constructor(folder: string) {
    this.folder = folder;
    this.env = {
      CONTAINERS_CONF: join(folder, 'containers.conf'),
      CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
      // The build's commands run without namespaces of their own, which not every machine allows.
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

  /** Nothing is pulled: every base image is in this store. */
  async build(
    name: string,
    { context, dockerfile, target, args = {}, platform, cached = false }: BuildOptions,
  ): Promise<void> {
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
        ...(target === undefined ? [] : [`--target=${target}`]),
        // Timestamp 0 gives the same content the same layer in each run, so a node need not load it again. But an older
        // buildah would then reuse finished steps of another platform, and it takes BUILDPLATFORM to be the target.
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
    // The storage driver keeps its folder mounted on itself.
    await runTool('umount', [join(this.folder, 'images', 'overlay')]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Removes what a killed run left behind: a gigabyte, and mounts. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const maker = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : NaN;
    if (Number.isNaN(maker) || (await stat(`/proc/${maker}`).catch(() => undefined))) continue;
    await new ContainerStore(join(tmpdir(), name)).remove();
  }
}
