/** Builds the Event object of the API (events.k8s.io/v1) without reading anything from the cluster. */
import type { Direction } from '../../core/migration.ts';
import { cutBytes } from '../../core/text/one-line.ts';
import type { EventText } from './digest.ts';
import { REASONS } from './reasons.ts';

/** The runner's pod and Job, from the downward API. */
export interface Place {
  readonly namespace: string;
  readonly pod: string;
  readonly podUid?: string | undefined;
  readonly container?: string | undefined;
  readonly initContainer: boolean;
  readonly job?: string | undefined;
  readonly jobUid?: string | undefined;
}

interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly fieldPath?: string;
}

/**
 * The fields of events.k8s.io/v1 that Lockstep sets. `eventTime` is converted to the API's MicroTime when it is sent.
 */
export interface EventObject {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly eventTime: Date;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly regarding: ObjectReference;
  readonly related?: ObjectReference;
}

/** A qualified name, as the API requires; `kubectl describe` shows it under "From". */
export const CONTROLLER = 'lockstep';
const MAX_NAME = 253;
const MAX_INSTANCE = 128;

export interface Moment {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** From 0 up to 1. */
  readonly random: number;
}

/** An Event about the Job, if there is one, else about the pod's container. */
export function eventObject(
  { reason, note }: EventText,
  direction: Direction,
  place: Place,
  moment: Moment,
): EventObject {
  const { namespace } = place;
  const pod = podReference(place);
  const { job, jobUid } = place;
  return {
    metadata: { name: eventName(job ?? place.pod, moment), namespace },
    eventTime: new Date(moment.now),
    type: REASONS[reason].type,
    reason,
    action: direction === 'up' ? 'Migrate' : 'Rollback',
    note,
    reportingController: CONTROLLER,
    reportingInstance: cutBytes(place.pod, MAX_INSTANCE),
    ...(job === undefined
      ? { regarding: pod }
      : {
          regarding: {
            apiVersion: 'batch/v1',
            kind: 'Job',
            namespace,
            name: job,
            ...(jobUid !== undefined && { uid: jobUid }),
          },
          related: pod,
        }),
  };
}

function podReference({ namespace, pod, podUid, container, initContainer }: Place): ObjectReference {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    namespace,
    name: pod,
    ...(podUid !== undefined && { uid: podUid }),
    // In the kubelet's spelling: it shows which container of the pod the Event is about.
    ...(container !== undefined && {
      fieldPath: `spec.${initContainer ? 'initContainers' : 'containers'}{${container}}`,
    }),
  };
}

/**
 * `<object>.<hexadecimal nanoseconds>`, as Kubernetes' own components name Events: a DNS subdomain of at most 253
 * characters.
 */
function eventName(object: string, { now, random }: Moment): string {
  const suffix = (BigInt(now) * 1_000_000n + BigInt(Math.floor(random * 1_000_000))).toString(16);
  const prefix = object
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .replaceAll(/-*\.[.-]*/g, '.')
    .replace(/^[.-]+/, '')
    .slice(0, MAX_NAME - suffix.length - 1)
    .replace(/[.-]+$/, '');
  return `${prefix === '' ? CONTROLLER : prefix}.${suffix}`;
}
