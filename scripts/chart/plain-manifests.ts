/** Answers: what is the chart without Helm? The files in k8s/, made of what Helm renders of examples/app-chart. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';

import { render, runHelm, type Helm, type Manifest, type RenderOptions } from './helm.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const NAMESPACE = 'shop';

/** The charts in examples/. */
export type Example = 'app-chart' | 'two-databases';

/** Runs `work` with a copy of the example that has its dependencies, as `helm dependency update` gets them. */
export async function withExample<T>(
  helm: Helm,
  work: (chart: string) => Promise<T>,
  example: Example = 'app-chart',
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-example-'));
  try {
    await cp(join(ROOT, 'charts'), join(folder, 'charts'), { recursive: true });
    const chart = join(folder, 'examples', example);
    await cp(join(ROOT, 'examples', example), chart, { recursive: true });
    const { code, stderr } = await runHelm(helm, ['dependency', 'update', '--skip-refresh', chart]);
    if (code !== 0) throw new Error(stderr);
    return await work(chart);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The objects of the example: the application, with a Job beside its init containers. */
export async function renderExample(helm: Helm, options: RenderOptions = {}, example?: Example): Promise<Manifest[]> {
  return withExample(helm, async (chart) => render(helm, { chart, ...options }), example);
}

const SETTINGS = ['lockstep.mode=job', 'lockstep.initContainer.command=up', 'lockstep.fullnameOverride=shop-migrate'];

/** Instead of one database. */
const FLEET = [
  'lockstep.database.existingSecret=',
  'lockstep.fleet.targets={orders,customers,stock}',
  'lockstep.fleet.secretName=shop-dbs',
];

/** What is no hook. */
async function renderPlain(helm: Helm, set: readonly string[]): Promise<Manifest[]> {
  const all = await renderExample(helm, { namespace: NAMESPACE, set });
  return all.filter((one) => one.metadata.annotations?.['helm.sh/hook'] === undefined);
}

/** Contents by file name. */
export async function plainManifests(helm: Helm): Promise<Map<string, string>> {
  const all = await renderPlain(helm, SETTINGS);
  const fleetJob = only((await renderPlain(helm, [...SETTINGS, ...FLEET])).filter(({ kind }) => kind === 'Job'));
  const of = (...kinds: string[]): Manifest[] => all.filter(({ kind }) => kinds.includes(kind)).map(withoutHelm);
  const job = only(of('Job'));
  const cronJob = only(of('CronJob'));
  return new Map([
    [
      'rbac.yaml',
      file(
        'The accounts of the application and of the Jobs, and the right to create Events.',
        of('ServiceAccount', 'Role', 'RoleBinding'),
      ),
    ],
    [
      'deployment.yaml',
      file(
        'An application: each replica migrates the database before it starts; one does it, the others wait their turn.',
        of('Deployment'),
      ),
    ],
    [
      'job.yaml',
      file(
        'Migrates before the rollout. Not needed beside the init containers; each release needs a Job with a name of its own.',
        [named(job, 'shop-migrate-1-4-0')],
      ),
    ],
    [
      'fleet-job.yaml',
      file(
        'Migrates many databases: an index for each name in LOCKSTEP_TARGETS, whose address is under that key in the Secret; completions is the number of names.',
        [named(withoutHelm(fleetJob), 'shop-fleet-1-4-0')],
      ),
    ],
    [
      'rollback-cronjob.yaml',
      file('Never runs by itself: a person makes a Job of it, which is a dry run unless told otherwise.', [cronJob]),
    ],
    [
      'rollback-job.yaml',
      file(
        'A rollback without the CronJob: say which version stays as the newest, look at the dry run, then say "false".',
        [rollbackJob(cronJob)],
      ),
    ],
  ]);
}

function only(manifests: readonly Manifest[]): Manifest {
  const [one, ...more] = manifests;
  if (one === undefined || more.length > 0)
    throw new Error(`there should be one: ${JSON.stringify(manifests.map(({ metadata }) => metadata.name))}`);
  return one;
}

/** Without what only Helm needs to know. */
function withoutHelm(manifest: Manifest): Manifest {
  const { name, labels, ...metadata } = manifest.metadata;
  return {
    ...stripLabels(manifest),
    metadata: { name, namespace: NAMESPACE, ...metadata, ...(labels && { labels: ownLabels(labels) }) },
  };
}

function stripLabels<T>(node: T): T {
  if (Array.isArray(node)) return node.map((one: unknown) => stripLabels(one)) as T;
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).map(([key, value]: [string, unknown]) => [
    key,
    key === 'labels' ? ownLabels(value as Record<string, string>) : stripLabels(value),
  ]);
  return Object.fromEntries(entries) as T;
}

function ownLabels(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  const helms = ['helm.sh/chart', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/version'];
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !helms.includes(name)));
}

function named(manifest: Manifest, name: string): Manifest {
  return { ...manifest, metadata: { ...manifest.metadata, name } };
}

interface EnvVariable {
  readonly name: string;
  readonly value?: string;
}

interface PodTemplate {
  readonly spec: { readonly containers: readonly { readonly env: readonly EnvVariable[] }[] };
}

/** The Job that `kubectl create job --from` makes of the CronJob, with a target. */
function rollbackJob(cronJob: Manifest): Manifest {
  const { metadata, spec } = (
    cronJob['spec'] as {
      jobTemplate: { metadata: { labels: Record<string, string> }; spec: { template: PodTemplate } };
    }
  ).jobTemplate;
  const { template } = spec;
  const containers = template.spec.containers.map((container) => ({
    ...container,
    env: [
      ...container.env.filter(({ name }) => !['LOCKSTEP_TO_FILES', 'LOCKSTEP_DRY_RUN'].includes(name)),
      { name: 'LOCKSTEP_TO', value: 'VERSION' },
      { name: 'LOCKSTEP_DRY_RUN', value: 'true' },
    ],
  }));
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'shop-rollback', namespace: NAMESPACE, ...metadata },
    spec: { ...spec, template: { ...template, spec: { ...template.spec, containers } } },
  };
}

function file(says: string, manifests: readonly Manifest[]): string {
  const documents = manifests.map((manifest) => stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false }));
  return `# ${says}\n# Made of charts/lockstep by "npm run chart"; yours to change.\n${documents.join('---\n')}`;
}
