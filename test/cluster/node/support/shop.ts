/**
 * The environment of one test: a namespace that allows restricted pods only, and a shop in it with a database of its
 * own.
 */
import { randomBytes } from 'node:crypto';

import { expect } from 'chai';

import { runHelm, type Helm, type HelmResult } from '../../../../scripts/chart/helm.ts';
import { withExample } from '../../../../scripts/chart/plain-manifests.ts';
import { eventually } from '../../../support/bounded.ts';
import { MIGRATIONS, WEB } from './images.ts';
import { useNode, type Node } from './node.ts';
import { endingOf, isReady, type Ending, type Job, type Pod } from './pods.ts';
import type { Database } from './postgres.ts';
import type { Release } from './releases.ts';

/** Pods start one after another on a small machine. */
const PATIENCE_MS = 120_000;

/** The default CPU requests would fill a small node. */
const SMALL = ['lockstep.resources.requests.cpu=5m', 'lockstep.image.pullPolicy=IfNotPresent'];

const KEEP = 'lockstep.test/keep';

interface UpgradeOptions {
  readonly helm?: Helm;
  /** More arguments for Helm. */
  readonly args?: readonly string[];
}

export class Shop {
  readonly node: Node;
  readonly namespace: string;
  readonly database: Database;

  private constructor(node: Node, namespace: string, database: Database) {
    this.node = node;
    this.namespace = namespace;
    this.database = database;
  }

  static async create(node: Node): Promise<Shop> {
    const namespace = `lockstep-test-${randomBytes(4).toString('hex')}`;
    const shop = new Shop(node, namespace, await node.postgres.createDatabase());
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    const items = [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'shop-db', namespace },
        stringData: { url: shop.database.address() },
      },
    ];
    await node.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    return shop;
  }

  /** The application of examples/app-chart at this release, as a user deploys it. */
  async upgrade(
    release: Release,
    settings: readonly string[] = [],
    { helm = this.node.helm, args = [] }: UpgradeOptions = {},
  ): Promise<HelmResult> {
    const { tag } = this.node.images;
    const images = [
      `lockstep.image.repository=${MIGRATIONS}`,
      `lockstep.image.tag=${tag(release)}`,
      `image.repository=${WEB}`,
      `image.tag=${tag('web')}`,
    ];
    const sets = [...images, ...SMALL, ...settings].flatMap((setting) => ['--set', setting]);
    return await withExample(helm, (chart) =>
      this.helm(['upgrade', '--install', 'shop', chart, ...sets, ...args], helm),
    );
  }

  /** Like `upgrade`, but must succeed. */
  async deploy(release: Release, settings: readonly string[] = [], options: UpgradeOptions = {}): Promise<void> {
    succeeds(await this.upgrade(release, settings, options));
  }

  async helm(args: readonly string[], helm: Helm = this.node.helm): Promise<HelmResult> {
    return await runHelm(helm, [...args, '--namespace', this.namespace], this.node.kubeconfig);
  }

  /** Runs kubectl in the namespace, as an administrator, and returns its stdout. */
  async kubectl(...args: readonly string[]): Promise<string> {
    return await this.node.kubectl([...args, '--namespace', this.namespace]);
  }

  /** Waits until every pod of the Deployment has the newest template, and is ready. */
  async rolledOut(): Promise<void> {
    await this.node.kubectl(['rollout', 'status', 'deployment/shop', '--namespace', this.namespace, '--timeout=55s']);
  }

  /** The pods of the application: `app.kubernetes.io/name=shop`; or of another selector. */
  async pods(selector = 'app.kubernetes.io/name=shop'): Promise<Pod[]> {
    return await this.#list<Pod>(
      `/api/v1/namespaces/${this.namespace}/pods?labelSelector=${encodeURIComponent(selector)}`,
    );
  }

  async podsOfJob(name: string): Promise<Pod[]> {
    return await this.pods(`batch.kubernetes.io/job-name=${name}`);
  }

  /** Waits until a container of the Job's pod waits for this reason. */
  async podWaits(job: string, reason: string): Promise<void> {
    await eventually(
      `${reason} of a pod of the Job ${job}`,
      async () =>
        (await this.podsOfJob(job)).some(({ status }) =>
          status.containerStatuses?.some(({ state }) => state.waiting?.reason === reason),
        ),
      PATIENCE_MS,
    );
  }

  async pod(name: string): Promise<Pod | undefined> {
    return await this.#read<Pod>(`/api/v1/namespaces/${this.namespace}/pods/${name}`);
  }

  async job(name: string): Promise<Job> {
    return (
      (await this.#read<Job>(`/apis/batch/v1/namespaces/${this.namespace}/jobs/${name}`)) ??
      fail(`there is no Job ${name}`)
    );
  }

  /** The Job once it is Complete or Failed. */
  async ended(name: string): Promise<Job> {
    return await eventually(
      `the end of the Job ${name}`,
      async () => {
        const job = await this.job(name);
        return (
          job.status.conditions?.some(
            ({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'),
          ) === true && job
        );
      },
      PATIENCE_MS,
    );
  }

  /** The application's pods, once they satisfy `is`. */
  async podsThat(what: string, is: (pods: readonly Pod[]) => boolean): Promise<Pod[]> {
    return await eventually(
      what,
      async () => {
        const pods = await this.pods();
        return is(pods) && pods;
      },
      PATIENCE_MS,
    );
  }

  async readyPods(count: number): Promise<Pod[]> {
    return await this.podsThat(`${count} ready pods`, (pods) => pods.length === count && pods.every(isReady));
  }

  /** How Lockstep ended in that pod, once that satisfies `is`. */
  async endingOf(
    name: string,
    what: string,
    is: (ending: Ending) => boolean = () => true,
  ): Promise<{ pod: Pod; ending: Ending }> {
    return await eventually(
      `${what} of ${name}`,
      async () => {
        const pod = await this.pod(name);
        const ending = pod && endingOf(pod);
        return ending && is(ending) && { pod: pod, ending };
      },
      PATIENCE_MS,
    );
  }

  /** Runs `work`, and keeps the pod readable until `work` ends, even when the pod is deleted. */
  async keeping<T>(name: string, work: () => Promise<T>): Promise<T> {
    const patch = (metadata: object): Promise<string> =>
      this.kubectl('patch', 'pod', name, '--patch', JSON.stringify({ metadata }));
    await patch({ finalizers: [KEEP] });
    try {
      return await work();
    } finally {
      await patch({ '$deleteFromPrimitiveList/finalizers': [KEEP] });
    }
  }

  /** Evicts the pod as `kubectl drain` does. */
  async evict(name: string): Promise<void> {
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: this.namespace } };
    await this.node.kubectl(
      ['create', '--raw', `/api/v1/namespaces/${this.namespace}/pods/${name}/eviction`, '-f', '-'],
      JSON.stringify(eviction),
    );
  }

  /** The response of a pod's web server. */
  async ask({ metadata }: Pod): Promise<string> {
    const { status, text } = await this.node.get(
      `/api/v1/namespaces/${this.namespace}/pods/${metadata.name}:8080/proxy/`,
    );
    return status === 200 ? text : fail(`${metadata.name} answers ${status}: ${text}`);
  }

  /** The reasons of Lockstep's Events about this object, in order of time. */
  async reasons(
    kind: 'Job' | 'Pod',
    { metadata }: { readonly metadata: { readonly name: string; readonly uid: string } },
  ): Promise<string[]> {
    return (await this.events())
      .filter(({ regarding }) => regarding.kind === kind && regarding.uid === metadata.uid)
      .map(({ reason }) => reason);
  }

  /** All Events of Lockstep, in order of time. */
  async events(): Promise<SeenEvent[]> {
    const all = await this.#list<SeenEvent>(`/apis/events.k8s.io/v1/namespaces/${this.namespace}/events`);
    return all
      .filter(({ reportingController }) => reportingController === 'lockstep')
      .toSorted((a, b) => (a.eventTime < b.eventTime ? -1 : 1));
  }

  async close({ keep }: { readonly keep: boolean }): Promise<void> {
    await this.database.close();
    if (!keep) await this.node.kubectl(['delete', 'namespace', this.namespace, '--wait=false']);
  }

  async #list<T>(path: string): Promise<T[]> {
    return (await this.#read<{ items: T[] }>(path))?.items ?? [];
  }

  async #read<T>(path: string): Promise<T | undefined> {
    const { status, text } = await this.node.get(path);
    if (status === 404) return undefined;
    return status === 200 ? (JSON.parse(text) as T) : fail(`${path}: ${status} ${text}`);
  }
}

interface SeenEvent {
  readonly reason: string;
  readonly note: string;
  readonly eventTime: string;
  readonly reportingController: string;
  readonly regarding: {
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    readonly fieldPath?: string;
  };
}

export function succeeds({ code, stdout, stderr }: HelmResult): void {
  expect(code, stdout + stderr).to.equal(0);
}

function fail(message: string): never {
  throw new Error(message);
}

/** In a `describe`: a shop of its own for each test. When the test fails, the shop stays, and the output names it. */
export function useShop(): () => Shop {
  const node = useNode();
  let current: Shop | undefined;

  beforeEach('make a namespace and a database', async () => {
    current = await Shop.create(node());
  });

  afterEach('remove the namespace', async function () {
    const [shop, keep] = [current, this.currentTest?.state === 'failed'];
    current = undefined;
    if (keep && shop) console.error(`      kept: namespace ${shop.namespace}`);
    await shop?.close({ keep });
  });

  return () => current!;
}
