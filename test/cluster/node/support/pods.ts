/** The fields of pods and Jobs that the tests read. */

export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly containers: readonly { readonly image: string }[];
    readonly initContainers?: readonly { readonly image: string }[];
  };
  readonly status: {
    readonly phase: string;
    readonly conditions?: readonly Condition[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface Job {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly succeeded?: number;
    readonly failed?: number;
    /** Of an Indexed Job, such as `0-6,8`. */
    readonly completedIndexes?: string;
    readonly failedIndexes?: string;
    readonly conditions?: readonly Condition[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly state: {
    readonly waiting?: { readonly reason?: string };
    readonly running?: object;
    readonly terminated?: Ending;
  };
  readonly lastState?: { readonly terminated?: Ending };
}

export interface Ending {
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
}

/** The fields of Lockstep's termination message that the tests read. */
export interface Told {
  readonly exit: number;
  readonly code?: string;
  readonly command?: string;
  readonly target?: string;
  readonly appliedCount?: number;
  readonly applied?: readonly string[];
  readonly failed?: Readonly<Record<string, unknown>>;
  readonly pending?: readonly string[];
}

export function isReady({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
  );
}

/** How the container `lockstep` last ended, whether it is restarted or not. */
export function endingOf(pod: Pod): Ending | undefined {
  const found = statusOf(pod);
  return found?.state.terminated ?? found?.lastState?.terminated;
}

/** The second to last end of the container `lockstep`, where it was restarted. */
export function earlierEndingOf(pod: Pod): Ending | undefined {
  return statusOf(pod)?.lastState?.terminated;
}

/** @throws Error when it has not ended, or has left no message of Lockstep. */
export function toldBy(pod: Pod): Told {
  const ending = endingOf(pod);
  try {
    return JSON.parse(ending?.message ?? '') as Told;
  } catch (cause) {
    throw new Error(`no termination message of ${pod.metadata.name}: ${JSON.stringify(ending)}`, { cause });
  }
}

export function uids(pods: readonly Pod[]): string[] {
  return pods.map(({ metadata }) => metadata.uid).toSorted();
}

export function names(pods: readonly Pod[]): string[] {
  return pods.map(({ metadata }) => metadata.name);
}

function statusOf({ status }: Pod): ContainerStatus | undefined {
  return [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].find(
    ({ name }) => name === 'lockstep',
  );
}
