/** Ends Jobs as their controller would, where no controllers run. */
import type { Manifest } from '../../../scripts/chart/helm.ts';
import { eventually } from '../../support/bounded.ts';
import type { ApiServer } from './api-server.ts';

/** An object as the API server returns it. */
export interface Live extends Manifest {
  readonly metadata: Manifest['metadata'] & {
    readonly uid: string;
    readonly ownerReferences?: readonly { readonly name: string }[];
  };
}

/** Undefined where it does not exist. */
export async function look(api: ApiServer, namespace: string, kind: string, name: string): Promise<Live | undefined> {
  const text = await api.kubectl(['get', kind, name, '--namespace', namespace, '--ignore-not-found', '-o', 'json']);
  return text === '' ? undefined : (JSON.parse(text) as Live);
}

/** Waits for a Job that is not `before`. */
export function nextJob(api: ApiServer, namespace: string, name: string, before?: Live): Promise<Live> {
  return eventually(`the Job ${name}`, async () => {
    const job = await look(api, namespace, 'job', name);
    return job !== undefined && job.metadata.uid !== before?.metadata.uid && job;
  });
}

export async function endJob(
  api: ApiServer,
  namespace: string,
  name: string,
  outcome: 'Complete' | 'Failed',
  message = '',
): Promise<void> {
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const first = outcome === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  const reason = outcome === 'Complete' ? 'CompletionsReached' : 'PodFailurePolicy';
  const conditions = [first, outcome].map((type) => ({
    type,
    status: 'True',
    reason,
    message,
    lastProbeTime: time,
    lastTransitionTime: time,
  }));
  const counts = outcome === 'Complete' ? { succeeded: 1, completionTime: time } : { failed: 1 };
  const patch = JSON.stringify({ status: { startTime: time, ...counts, conditions } });
  await api.kubectl([
    'patch',
    'job',
    name,
    '--namespace',
    namespace,
    '--subresource=status',
    '--type=merge',
    '--patch',
    patch,
  ]);
}
