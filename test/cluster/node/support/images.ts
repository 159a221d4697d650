/**
 * The images of one run, with tags that no other run uses: the releases of a shop, its web server, a proxy, PostgreSQL.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { LOCKSTEP, lockstepImage } from '../../../image/support/lockstep-image.ts';
import { makePostgres, POSTGRES, RUNTIME } from '../../../image/support/stand-ins.ts';
import type { ContainerStore } from '../../../image/support/container-store.ts';
import { output } from '../../../image/support/tool.ts';
import type { Files } from '../../../support/migrations.ts';
import { RELEASES, type Release } from './releases.ts';

const REPOSITORY = 'localhost/lockstep-test';
export const MIGRATIONS = `${REPOSITORY}/shop-migrations`;
export const WEB = `${REPOSITORY}/shop-web`;

export interface Images {
  /** The tag of a release of MIGRATIONS, and of WEB. */
  readonly tag: (release: Release | 'web') => string;
  /** Lockstep without any files. */
  readonly lockstep: { readonly repository: string; readonly tag: string };
  /** Forwards port 5432 to PostgreSQL. */
  readonly proxy: string;
  readonly postgres: string;
}

/** Serves until it is terminated. */
const SERVER = `
import { createServer } from 'node:http';
createServer((_request, response) => response.end('shop')).listen(8080);
process.on('SIGTERM', () => process.exit());
`;

const proxyTo = (host: string): string => `
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
createServer((client) => {
  const server = connect(5432, '${host}');
  pipeline(client, server, client, () => undefined);
}).listen(5432);
process.on('SIGTERM', () => process.exit());
`;

/** Builds the images, and loads them onto the nodes. `run` is part of their tags, `host` is PostgreSQL's. */
export async function loadImages(load: string, run: string, host: string): Promise<Images> {
  const { store } = await lockstepImage();
  await makePostgres(store);
  const tag = (name: string): string => `${name}-${run}`;
  const [lockstep, proxy, postgres] = ['lockstep', 'proxy', 'postgres'].map(
    (name) => `${REPOSITORY}/${name}:${tag('test')}`,
  ) as [string, string, string];
  for (const [release, files] of Object.entries(RELEASES))
    await buildMigrations(store, `${MIGRATIONS}:${tag(release)}`, files);
  await buildProgram(store, `${WEB}:${tag('web')}`, SERVER);
  await buildProgram(store, proxy, proxyTo(host));
  await store.podmanOutput('tag', LOCKSTEP, lockstep);
  await store.podmanOutput('tag', POSTGRES, postgres);
  const all = [
    ...Object.keys(RELEASES).map((release) => `${MIGRATIONS}:${tag(release)}`),
    `${WEB}:${tag('web')}`,
    lockstep,
    proxy,
    postgres,
  ];
  await loadAll(store, load, all);
  return { tag, lockstep: { repository: `${REPOSITORY}/lockstep`, tag: tag('test') }, proxy, postgres };
}

/** As one archive, which contains shared layers only once. */
async function loadAll(store: ContainerStore, load: string, names: readonly string[]): Promise<void> {
  const archive = join(store.folder, 'images.tar');
  try {
    await store.podmanOutput('save', '--multi-image-archive', `--output=${archive}`, ...names);
    await output('bash', ['-c', `${load} "$1"`, 'load', archive]);
  } finally {
    await rm(archive, { force: true });
  }
}

async function buildMigrations(store: ContainerStore, name: string, files: Files): Promise<void> {
  await build(store, name, files, `FROM ${LOCKSTEP}\nCOPY --chmod=0555 . /migrations/\n`);
}

async function buildProgram(store: ContainerStore, name: string, script: string): Promise<void> {
  await build(
    store,
    name,
    { 'program.mjs': script },
    `FROM ${RUNTIME}\nCOPY --chmod=0555 . /app/\nCMD ["/app/program.mjs"]\n`,
  );
}

async function build(store: ContainerStore, name: string, files: Files, dockerfile: string): Promise<void> {
  const context = await mkdtemp(join(store.folder, 'context-'));
  for (const [file, text] of Object.entries(files)) await writeFile(join(context, file), text);
  await store.build(name, { context, dockerfile });
  await rm(context, { recursive: true });
}
