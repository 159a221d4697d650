/** Reads manifests: which pods do they create, and what do these contain? */
import { basename, join } from 'node:path';

import { CHART, render, type Helm, type Manifest, type RenderOptions } from '../../../scripts/chart/helm.ts';

interface EnvVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly EnvVariable[];
  readonly restartPolicy?: string;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly resources?: { readonly limits?: { readonly memory?: string } };
  readonly terminationMessagePolicy?: string;
}

interface PodSpec {
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken: boolean;
  readonly restartPolicy?: string;
  readonly activeDeadlineSeconds?: number;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly name: string }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
}

export interface Pod {
  /** `Job/shop-lockstep-migrate-1`. */
  readonly of: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
}

export interface JobSpec {
  /** Not of an Indexed Job. */
  readonly backoffLimit?: number;
  readonly activeDeadlineSeconds?: number;
  readonly completionMode?: 'Indexed';
  readonly completions?: number;
  readonly parallelism?: number;
  readonly backoffLimitPerIndex?: number;
  readonly maxFailedIndexes?: number;
  readonly ttlSecondsAfterFinished: number;
  readonly podReplacementPolicy: string;
  readonly podFailurePolicy: { readonly rules: readonly FailureRule[] };
  readonly template: PodTemplate;
}

interface FailureRule {
  readonly action: string;
  readonly onPodConditions?: readonly { readonly type: string; readonly status?: string }[];
  readonly onExitCodes?: {
    readonly containerName?: string;
    readonly operator: string;
    readonly values: readonly number[];
  };
}

interface PodTemplate {
  readonly metadata?: Manifest['metadata'];
  readonly spec: PodSpec;
}

/** The chart with one of its ci values, named without `-values.yaml`. */
export function renderCi(helm: Helm, name: string, options: RenderOptions = {}): Promise<Manifest[]> {
  return render(helm, { values: join(CHART, 'ci', `${name}-values.yaml`), ...options });
}

export function ciName(path: string): string {
  return basename(path, '-values.yaml');
}

/** The only manifest of that kind and name. @throws Error when there is none, or more than one. */
export function one(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name),
  );
  if (found.length !== 1)
    throw new Error(`${found.length} of ${kind} ${name ?? ''} in ${manifests.map(idOf).join(', ')}`);
  return found[0]!;
}

export function idOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}

/** The spec of a Job, or of the Jobs that a CronJob creates. */
export function jobSpec(manifest: Manifest): JobSpec {
  if (manifest.kind === 'CronJob') return (manifest['spec'] as { jobTemplate: { spec: JobSpec } }).jobTemplate.spec;
  return manifest['spec'] as JobSpec;
}

export function jobsIn(manifests: readonly Manifest[]): Manifest[] {
  return manifests.filter(({ kind }) => kind === 'Job' || kind === 'CronJob');
}

/** Every pod that the manifests are or create. */
export function podsIn(manifests: readonly Manifest[]): Pod[] {
  return manifests.flatMap((manifest) => {
    const template = templateOf(manifest);
    return template
      ? [
          {
            of: idOf(manifest),
            labels: template.metadata?.labels ?? {},
            annotations: template.metadata?.annotations ?? {},
            spec: template.spec,
          },
        ]
      : [];
  });
}

function templateOf(manifest: Manifest): PodTemplate | undefined {
  if (manifest.kind === 'Pod') return manifest as unknown as PodTemplate;
  if (manifest.kind === 'CronJob') return jobSpec(manifest).template;
  return (manifest['spec'] as { template?: PodTemplate } | undefined)?.template;
}

/** The container that runs Lockstep. */
export function lockstepIn({ of, spec }: Pod): Container {
  const found = [...(spec.initContainers ?? []), ...spec.containers].filter(({ env }) =>
    env?.some(({ name }) => name === 'LOCKSTEP_DIR'),
  );
  if (found.length !== 1) throw new Error(`${found.length} containers of ${of} run Lockstep`);
  return found[0]!;
}

/** The variable's value; if it has none, the name or path of its source. */
export function envValue(container: Container, name: string): string | undefined {
  const variable = container.env?.find((each) => each.name === name);
  return variable?.value ?? variable?.valueFrom?.fieldRef?.fieldPath ?? variable?.valueFrom?.secretKeyRef?.name;
}
