/** The example's folder, copied for one test, so that a test may add a file. */
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { ContainerStore } from '../../image/support/container-store.ts';
import { buildLockstep, LOCKSTEP, REPOSITORY } from '../../image/support/lockstep-image.ts';
import { makeNode, makePostgres, makeRuntime, NODE, POSTGRES } from '../../image/support/stand-ins.ts';
import type { ToolResult } from '../../image/support/tool.ts';
import type { ComposeEngine, Project } from './engines.ts';

const EXAMPLE = join(REPOSITORY, 'examples/integration-tests');
const FILES = ['compose.yaml', 'compose.in-one.yaml'];

/** The first line of `npm test` in the shop, and of nothing else. */
const TESTS_BEGIN = 'node --test --test-concurrency=2';

export interface ShopResult {
  readonly code: number | null;
  readonly output: string;
  readonly testsBegan: boolean;
}

export class Shop {
  readonly #engine: ComposeEngine;
  readonly #project: Project;

  private constructor(engine: ComposeEngine, project: Project) {
    this.#engine = engine;
    this.#project = project;
  }

  static async open(engine: ComposeEngine): Promise<Shop> {
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-shop-'));
    await cp(EXAMPLE, folder, { recursive: true, filter: (path) => basename(path) !== 'node_modules' });
    const env = { POSTGRES_IMAGE: POSTGRES, NODE_IMAGE: NODE, LOCKSTEP_IMAGE: LOCKSTEP };
    return new Shop(engine, { name: `lockstep-it-${randomBytes(4).toString('hex')}`, folder, env });
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.#project.folder, file), text);
  }

  async compose(...args: readonly string[]): Promise<ShopResult> {
    return read(await this.#engine.compose(this.#project, args));
  }

  async close(): Promise<void> {
    await this.#engine.end(this.#project, FILES);
    await rm(this.#project.folder, { recursive: true, force: true });
  }
}

function read({ code, stdout, stderr }: ToolResult): ShopResult {
  const text = `${stdout}${stderr}`;
  return { code, output: text, testsBegan: text.includes(TESTS_BEGIN) };
}

let made: Promise<ContainerStore> | undefined;

/** Builds the base images of the example, once per mocha process, and gives them to the engine. */
export async function provideImages(engine: ComposeEngine): Promise<void> {
  const store = await (made ??= makeImages());
  await engine.load(store, [POSTGRES, NODE, LOCKSTEP]);
}

async function makeImages(): Promise<ContainerStore> {
  const store = await ContainerStore.create();
  await makeRuntime(store);
  await makeNode(store);
  await makePostgres(store);
  await buildLockstep(store, LOCKSTEP);
  return store;
}
