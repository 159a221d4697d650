/**
 * A complete Kubernetes cluster for tests, with nodes on which pods run.
 *
 * LOCKSTEP_TEST_KUBECONFIG names its kubeconfig. LOCKSTEP_TEST_LOAD_IMAGE is a command that loads the images of an
 * archive, whose path is its last argument, onto the nodes: `kind load image-archive`.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Helm } from '../../../../scripts/chart/helm.ts';
import { requireHelm } from '../../../chart/support/helms.ts';
import { skipUnless } from '../../../support/elsewhere.ts';
import { whyNotAll } from '../../../image/support/tool.ts';
import { within } from '../../../support/bounded.ts';
import { atEnd } from '../../../support/cleanup.ts';
import { givenCluster, type ApiServer } from '../../support/api-server.ts';
import { loadImages, type Images } from './images.ts';
import { hostIn, startPostgres, type Postgres } from './postgres.ts';

/** Builds, loads and starts everything that the tests share. */
const START_MS = 15 * 60_000;

/** The API server's response to a GET. */
interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface Node extends ApiServer {
  readonly helm: Helm;
  readonly images: Images;
  readonly postgres: Postgres;
  /** As an administrator, without starting a kubectl for each request. */
  get(path: string): Promise<Answer>;
}

let shared: Promise<Node> | undefined;

/**
 * For a `describe`: the node of this run, or its tests are skipped with a reason; with LOCKSTEP_NO_SKIP, as in CI, they
 * fail.
 */
export function useNode(): () => Node {
  let node: Node | undefined;
  before(async function () {
    this.timeout(START_MS);
    const [kubeconfig, load] = [
      process.env['LOCKSTEP_TEST_KUBECONFIG'] ?? '',
      process.env['LOCKSTEP_TEST_LOAD_IMAGE'] ?? '',
    ];
    const unset = 'LOCKSTEP_TEST_KUBECONFIG and LOCKSTEP_TEST_LOAD_IMAGE are not both set';
    skipUnless(
      this,
      'no node',
      kubeconfig === '' || load === '' ? unset : await whyNotAll('buildah', 'podman', 'runc', 'ldd', 'kubectl'),
    );
    const helm = await requireHelm(this);
    node = await (shared ??= prepare(kubeconfig, load, helm));
  });
  return () => node!;
}

async function prepare(kubeconfig: string, load: string, helm: Helm): Promise<Node> {
  const cluster = await givenCluster(kubeconfig);
  const run = randomBytes(3).toString('hex');
  const namespace = `lockstep-test-postgres-${run}`;
  const images = await loadImages(load, run, hostIn(namespace));
  const postgres = await startPostgres(cluster, namespace, images.postgres);
  return { ...cluster, helm, images, postgres, get: await openProxy(kubeconfig) };
}

/** `kubectl proxy`, on a socket that only this user can access. */
async function openProxy(kubeconfig: string): Promise<Node['get']> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-proxy-'));
  const socketPath = join(folder, 'api.sock');
  const child = spawn('kubectl', ['--kubeconfig', kubeconfig, 'proxy', '--unix-socket', socketPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  atEnd(async () => {
    child.kill();
    await rm(folder, { recursive: true, force: true });
  });
  await within(once(child.stdout, 'data'), 'kubectl proxy to serve');
  return (path) =>
    new Promise((resolve, reject) => {
      const sent = request({ socketPath, path, headers: { host: 'localhost' }, timeout: 10_000 }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      });
      sent.on('timeout', () => sent.destroy(new Error(`no answer: ${path}`)));
      sent.on('error', reject);
      sent.end();
    });
}
