/**
 * A real Kubernetes API server with RBAC, on loopback, for one run of the tests.
 *
 * KUBEBUILDER_ASSETS names a folder with the programs etcd, kube-apiserver and kubectl (as setup-envtest makes it):
 * they are started here. Without it LOCKSTEP_TEST_KUBECONFIG names the kubeconfig of an existing cluster for tests: it
 * is used unchanged, with the kubectl on the PATH. The user's own KUBECONFIG is never touched.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { skipUnless } from '../../support/elsewhere.ts';
import { eventually } from '../../support/bounded.ts';
import { issue, makeAuthority } from '../../support/certificates.ts';
import { atEnd } from '../../support/cleanup.ts';
import type { Cluster, ServiceAccount } from '../../support/in-cluster.ts';

const START_MS = 120_000;

export interface ApiServer extends Cluster {
  /** The path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Runs kubectl as an administrator, and resolves with its stdout. @throws Error with its stderr. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /**
   * Stops the server from answering until the returned function is called; undefined for a cluster that is not ours.
   */
  readonly freeze?: () => () => void;
}

let shared: Promise<ApiServer> | undefined;

/**
 * The API server of this run. Without one the tests are skipped, and say so; with LOCKSTEP_NO_SKIP, as in CI, they
 * fail.
 */
export async function apiServer(context: Mocha.Context): Promise<ApiServer> {
  const given = process.env['LOCKSTEP_TEST_KUBECONFIG'] ?? '';
  const assets = process.env['KUBEBUILDER_ASSETS'] ?? '';
  skipUnless(
    context,
    'no Kubernetes API server',
    given === '' && assets === '' ? 'neither KUBEBUILDER_ASSETS nor LOCKSTEP_TEST_KUBECONFIG is set' : undefined,
  );
  context.timeout(START_MS + 10_000);
  return await (shared ??= assets === '' ? givenCluster(given) : start(assets));
}

/** The same, but one that the tests started: no controller runs in it. */
export async function ownApiServer(context: Mocha.Context): Promise<Required<ApiServer>> {
  const api = await apiServer(context);
  skipUnless(
    context,
    'not an API server of our own',
    api.freeze === undefined ? 'KUBEBUILDER_ASSETS is not set' : undefined,
  );
  return api as Required<ApiServer>;
}

/** A namespace that no other test uses, removed at the end. */
export async function createNamespace(api: ApiServer): Promise<string> {
  const namespace = `lockstep-test-${randomBytes(4).toString('hex')}`;
  await api.kubectl(['create', 'namespace', namespace]);
  // Without a controller it stays "Terminating"; with one, no test needs to wait for it.
  atEnd(() => api.kubectl(['delete', 'namespace', namespace, '--wait=false']));
  return namespace;
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** A service account with only these permissions in the namespace, and a token for it. */
export async function createServiceAccount(
  api: ApiServer,
  namespace: string,
  name: string,
  rules: readonly Rule[],
): Promise<ServiceAccount> {
  const metadata = { name, namespace };
  const objects = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
  ];
  await api.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  return { namespace, token: (await api.kubectl(['create', 'token', name, '--namespace', namespace])).trim() };
}

/** Sends a request with a token, and returns its HTTP status. */
export function statusOf({ url, ca }: Cluster, path: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, url),
      { ca, headers: { authorization: `Bearer ${token}` }, timeout: 5_000 },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', reject);
    sent.end();
  });
}

/** The existing cluster of a kubeconfig. */
export async function givenCluster(kubeconfig: string): Promise<ApiServer> {
  const kubectl = kubectlWith('kubectl', kubeconfig);
  const cluster = (field: string): Promise<string> =>
    kubectl(['config', 'view', '--minify', '--raw', '--flatten', '-o', `jsonpath={.clusters[0].cluster.${field}}`]);
  const ca = Buffer.from(await cluster('certificate-authority-data'), 'base64').toString();
  return { url: (await cluster('server')).trim(), ca, kubeconfig, kubectl };
}

async function start(assets: string): Promise<ApiServer> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-kube-'));
  const children: ChildProcess[] = [];
  atEnd(async () => {
    for (const child of children.toReversed()) await end(child);
    await rm(folder, { recursive: true, force: true });
  });
  const run = (program: string, args: readonly string[]): ChildProcess => {
    const log = openSync(join(folder, `${program}.log`), 'a');
    const child = spawn(join(assets, program), args, {
      stdio: ['ignore', log, log],
      env: { PATH: process.env['PATH'] },
    });
    child.on('error', () => undefined);
    children.push(child);
    return child;
  };
  const [etcdPort = 0, peerPort = 0, port = 0] = await freePorts(3);
  const etcd = run('etcd', etcdFlags(folder, etcdPort, peerPort));
  const access = await prepare(folder, port);
  const server = run('kube-apiserver', apiServerFlags(folder, etcdPort, port));
  await eventually(
    'the API server to be ready',
    async () => {
      for (const [name, child] of [
        ['etcd', etcd],
        ['kube-apiserver', server],
      ] as const) {
        if (child.pid === undefined || child.exitCode !== null)
          throw new Error(`${name} ended: ${await tailOf(join(folder, `${name}.log`))}`);
      }
      return await statusOf(access, '/readyz', access.token).then(
        (status) => status === 200,
        () => false,
      );
    },
    START_MS,
  );
  const freeze = (): (() => void) => {
    server.kill('SIGSTOP');
    return () => void server.kill('SIGCONT');
  };
  return {
    url: access.url,
    ca: access.ca,
    kubeconfig: access.kubeconfig,
    kubectl: kubectlWith(join(assets, 'kubectl'), access.kubeconfig),
    freeze,
  };
}

interface Access extends Cluster {
  readonly kubeconfig: string;
  readonly token: string;
}

/** Certificates, keys, and an administrator. */
async function prepare(folder: string, port: number): Promise<Access> {
  const authority = makeAuthority('kubernetes for tests');
  const certificate = issue(authority, 'kube-apiserver', ['127.0.0.1', 'localhost']);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const token = randomBytes(16).toString('hex');
  const url = `https://127.0.0.1:${port}`;
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'test',
        cluster: { server: url, 'certificate-authority-data': Buffer.from(authority.pem).toString('base64') },
      },
    ],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin', namespace: 'default' } }],
    'current-context': 'test',
  };
  const files = {
    'server.crt': certificate.pem,
    'server.key': certificate.keyPem(),
    'service-accounts.key': String(privateKey.export({ type: 'sec1', format: 'pem' })),
    'service-accounts.pub': String(publicKey.export({ type: 'spki', format: 'pem' })),
    'tokens.csv': `${token},admin,admin,"system:masters"\n`,
    kubeconfig: JSON.stringify(kubeconfig),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 });
  return { url, ca: authority.pem, kubeconfig: join(folder, 'kubeconfig'), token };
}

function etcdFlags(folder: string, port: number, peerPort: number): string[] {
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const urls = [`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`, `--listen-peer-urls=${peer}`];
  return [
    ...urls,
    `--initial-advertise-peer-urls=${peer}`,
    '--name=test',
    `--initial-cluster=test=${peer}`,
    `--data-dir=${join(folder, 'etcd')}`,
    '--unsafe-no-fsync',
  ];
}

function apiServerFlags(folder: string, etcdPort: number, port: number): string[] {
  const at = (name: string): string => join(folder, name);
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    ...[
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${port}`,
      '--service-cluster-ip-range=10.96.0.0/24',
    ],
    ...[`--cert-dir=${folder}`, `--tls-cert-file=${at('server.crt')}`, `--tls-private-key-file=${at('server.key')}`],
    ...[
      '--authorization-mode=RBAC',
      `--token-auth-file=${at('tokens.csv')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
    ],
    ...[
      `--service-account-key-file=${at('service-accounts.pub')}`,
      `--service-account-signing-key-file=${at('service-accounts.key')}`,
    ],
    // No controller creates default service accounts, or the Service "kubernetes", here.
    ...['--disable-admission-plugins=ServiceAccount', '--endpoint-reconciler-type=none'],
    // On by default from Kubernetes 1.35.
    '--feature-gates=ImageVolume=true',
  ];
}

function kubectlWith(program: string, kubeconfig: string): ApiServer['kubectl'] {
  return async (args, input) => {
    const running = promisify(execFile)(program, ['--kubeconfig', kubeconfig, ...args], {
      timeout: 60_000,
      env: { PATH: process.env['PATH'], HOME: tmpdir() },
    });
    running.child.stdin?.end(input);
    return (await running).stdout;
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) server.close();
  await Promise.all(servers.map((server) => once(server, 'close')));
  return ports;
}

async function tailOf(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).slice(-2_000);
}

/** SIGKILL also ends a frozen process; nothing here needs to be kept. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}
