/**
 * The image under test, built once per mocha process from the Dockerfile, and its containers. LOCKSTEP_TEST_TARGET=bun
 * names the second one.
 */
import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { resolve } from 'node:path';

import { within } from '../../support/bounded.ts';
import { skipUnless } from '../../support/elsewhere.ts';
import { useWorkspace, type Workspace } from '../../support/workspace.ts';
import { ContainerStore } from './container-store.ts';
import { BUN_RUNTIME, makeBunRuntime, makeNode, makeRuntime, NODE, RUNTIME } from './stand-ins.ts';
import { whyNotAll, type ToolResult } from './tool.ts';

export const REPOSITORY = resolve(import.meta.dirname, '../../..');
export const LOCKSTEP = 'localhost/lockstep-test/lockstep:test';

export const IS_BUN = process.env['LOCKSTEP_TEST_TARGET'] === 'bun';

interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

export interface ContainerResult extends ToolResult {
  readonly logs: readonly LogLine[];
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly image?: string;
  readonly user?: string;
  /** More arguments for `podman run`: mounts, an entrypoint. */
  readonly more?: readonly string[];
}

export interface Container {
  readonly exited: Promise<ContainerResult>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/**
 * As restricted as a pod under the `restricted` Pod Security Standard with a read-only root, and more: no /tmp, no
 * home.
 */
const STRICT = [
  '--read-only',
  '--read-only-tmpfs=false',
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
  '--env=HOME=/nowhere',
];

export class LockstepImage {
  readonly store: ContainerStore;

  constructor(store: ContainerStore) {
    this.store = store;
  }

  /** Runs `lockstep …` in a container to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<ContainerResult> {
    return await this.start(args, options).exited;
  }

  start(args: readonly string[], { env = {}, image = LOCKSTEP, user, more = [] }: RunOptions = {}): Container {
    const name = `lockstep-test-${randomBytes(6).toString('hex')}`;
    const settings = Object.entries(env).map(([key, value]) => `--env=${key}=${value}`);
    const who = user === undefined ? [] : [`--user=${user}`];
    const words = [
      'run',
      '--rm',
      `--name=${name}`,
      '--network=host',
      ...STRICT,
      ...who,
      ...settings,
      ...more,
      image,
      ...args,
    ];
    const exited = this.store
      .podman(words, { timeoutMs: 90_000 })
      .then((result) => ({ ...result, logs: parseLogs(result.stderr) }));
    // The code that awaits it sees the failure.
    exited.catch(() => undefined);
    const kill = async (signal: NodeJS.Signals): Promise<void> => {
      await this.store.podmanOutput('kill', `--signal=${signal}`, name);
    };
    return { exited, kill };
  }

  /** Runs `lockstep …` with the files, schema and lock key of a workspace. */
  async runIn(workspace: Workspace, args: readonly string[], options: RunOptions = {}): Promise<ContainerResult> {
    return await this.run(args, inWorkspace(workspace, options));
  }

  startIn(workspace: Workspace, args: readonly string[], options: RunOptions = {}): Container {
    return this.start(args, inWorkspace(workspace, options));
  }

  /** The output of this JavaScript in such a container, in place of Lockstep. */
  async probe(script: string, options: RunOptions = {}): Promise<string> {
    const how = IS_BUN ? '--env=BUN_BE_BUN=1' : '--entrypoint=/nodejs/bin/node';
    const { code, stdout, stderr } = await this.run(['-e', script], {
      ...options,
      more: [...(options.more ?? []), how],
    });
    if (code !== 0) throw new Error(`exit ${code}: ${stdout}${stderr}`);
    return stdout.trim();
  }
}

export function databaseOf({ url, lockKey }: Workspace): Record<string, string> {
  return { DATABASE_URL: url, LOCKSTEP_LOCK_KEY: lockKey };
}

function inWorkspace(workspace: Workspace, { env, more = [], ...rest }: RunOptions): RunOptions {
  return {
    ...rest,
    env: { ...databaseOf(workspace), ...env },
    more: [...more, `--volume=${workspace.dir}:/migrations:ro`],
  };
}

function parseLogs(text: string): LogLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}

/** Like useWorkspace, with files that every user may read. */
export function useSharedWorkspace(): () => Workspace {
  const workspace = useWorkspace();
  beforeEach(() => chmod(workspace().dir, 0o755));
  return workspace;
}

let built: Promise<LockstepImage> | undefined;

/** For a `describe`: builds the image, or skips its tests with a reason. */
export function useLockstepImage(): () => LockstepImage {
  let image: LockstepImage | undefined;
  before(async function () {
    this.timeout(15 * 60_000);
    skipUnless(this, 'no containers', await whyNotAll('buildah', 'podman', 'runc', 'ldd'));
    image = await lockstepImage();
  });
  return () => image!;
}

/** The image, for callers that have checked whether it can be built. */
export async function lockstepImage(): Promise<LockstepImage> {
  return await (built ??= build());
}

async function build(): Promise<LockstepImage> {
  const store = await ContainerStore.create();
  await makeRuntime(store);
  if (IS_BUN) await makeBunRuntime(store);
  await makeNode(store);
  await buildLockstep(store, LOCKSTEP);
  return new LockstepImage(store);
}

/** Builds the image from the Dockerfile of the repository. */
export async function buildLockstep(
  store: ContainerStore,
  name: string,
  { platform, runtime = RUNTIME }: { platform?: string; runtime?: string } = {},
): Promise<void> {
  const build = store.build(name, {
    context: REPOSITORY,
    cached: true,
    args: { BUILD_IMAGE: NODE, RUNTIME_IMAGE: runtime, BUN_RUNTIME_IMAGE: BUN_RUNTIME },
    ...(IS_BUN && { target: 'bun' }),
    ...(platform !== undefined && { platform }),
  });
  await within(build, 'the image to be built', 12 * 60_000);
}
