/** The engines that can run a compose file here: podman-compose, and Docker Compose where a Docker daemon answers. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { atEnd } from '../../support/cleanup.ts';
import type { ContainerStore } from '../../image/support/container-store.ts';
import { output, programPath, runTool, whyNotAll, type ToolResult } from '../../image/support/tool.ts';

export interface ComposeEngine {
  readonly name: string;
  /**
   * Whether `up` supports --abort-on-container-failure beside --exit-code-from, and waits for
   * service_completed_successfully.
   */
  readonly waitsForServices: boolean;
  /** Makes images of the store available to it, until the end of the tests. */
  load(store: ContainerStore, images: readonly string[]): Promise<void>;
  /** Runs `compose …` for a project in a folder. */
  compose(project: Project, args: readonly string[]): Promise<ToolResult>;
  /** Stops all containers of the project, and removes everything that it created. */
  end(project: Project, files: readonly string[]): Promise<void>;
}

export interface Project {
  readonly name: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

const LIMIT_MS = 3 * 60_000;

class PodmanCompose implements ComposeEngine {
  readonly name = 'podman-compose';
  readonly waitsForServices = false;
  #env: Readonly<Record<string, string>> = {};

  async load(store: ContainerStore): Promise<void> {
    this.#env = store.env;
  }

  async compose({ name, folder, env }: Project, args: readonly string[]): Promise<ToolResult> {
    const words = [`--project-name=${name}`, '--podman-build-args=--pull-never', ...args];
    return await runTool('podman-compose', words, { cwd: folder, env: { ...this.#env, ...env }, timeoutMs: LIMIT_MS });
  }

  async end(project: Project, files: readonly string[]): Promise<void> {
    for (const file of files) await this.compose(project, [`--file=${file}`, 'down', '--volumes', '--timeout=5']);
    // The plugin that assigns addresses keeps them here, and leaves them behind.
    await rm(join('/var/lib/cni/networks', `${project.name}_default`), { recursive: true, force: true });
  }
}

class DockerCompose implements ComposeEngine {
  readonly name = 'docker compose';
  readonly waitsForServices = true;

  async load(store: ContainerStore, images: readonly string[]): Promise<void> {
    atEnd(() => runTool('docker', ['image', 'rm', '--force', ...images]));
    for (const image of images) {
      const file = join(store.folder, 'image.tar');
      await store.save(image, file);
      await output('docker', ['load', '--input', file]);
      await rm(file);
    }
  }

  async compose({ name, folder, env }: Project, args: readonly string[]): Promise<ToolResult> {
    return await runTool('docker', ['compose', `--project-name=${name}`, ...args], {
      cwd: folder,
      env,
      timeoutMs: LIMIT_MS,
    });
  }

  async end(project: Project, files: readonly string[]): Promise<void> {
    for (const file of files)
      await this.compose(project, [
        `--file=${file}`,
        'down',
        '--volumes',
        '--timeout=5',
        '--rmi=local',
        '--remove-orphans',
      ]);
  }
}

/** The engines that work here, and why the others do not. */
export async function findEngines(): Promise<{ engines: ComposeEngine[]; reasons: string[] }> {
  const candidates = [
    { engine: new PodmanCompose(), reason: await whyNoPodmanCompose() },
    { engine: new DockerCompose(), reason: await whyNoDockerCompose() },
  ];
  return {
    engines: candidates.filter(({ reason }) => reason === undefined).map(({ engine }) => engine),
    reasons: candidates.flatMap(({ engine, reason }) => (reason === undefined ? [] : [`${engine.name}: ${reason}`])),
  };
}

/** Both engines need the images that buildah builds here. */
async function whyNoImages(): Promise<string | undefined> {
  return await whyNotAll('buildah', 'podman', 'runc', 'ldd');
}

async function whyNoPodmanCompose(): Promise<string | undefined> {
  if ((await programPath('podman-compose')) === undefined)
    return 'there is none on the PATH (pip install podman-compose==1.6.0)';
  const version = /podman-compose version (\d+)\.(\d+)/.exec((await runTool('podman-compose', ['--version'])).stdout);
  const [major = 0, minor = 0] = (version?.slice(1) ?? []).map(Number);
  if (major < 1 || (major === 1 && minor < 6))
    return `it is ${major}.${minor}, and 1.6 is needed (pip install podman-compose==1.6.0)`;
  return await whyNoImages();
}

async function whyNoDockerCompose(): Promise<string | undefined> {
  if ((await programPath('docker')) === undefined) return 'there is no docker on the PATH';
  const [plugin, daemon] = await Promise.all([
    runTool('docker', ['compose', 'version', '--short']),
    runTool('docker', ['info'], { timeoutMs: 30_000 }),
  ]);
  if (plugin.code !== 0) return 'docker has no compose plugin';
  const [major = 0, minor = 0] = plugin.stdout.trim().replace(/^v/, '').split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 27)) return `it is ${plugin.stdout.trim()}, and 2.27 is needed`;
  if (daemon.code !== 0) return 'no Docker daemon answers';
  return await whyNoImages();
}
