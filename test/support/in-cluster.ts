/** The kubelet's contributions to a container: a service account's files, and the variables of the downward API. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Cluster {
  /** https://<host>:<port> */
  readonly url: string;
  /** PEM */
  readonly ca: string;
}

export interface ServiceAccount {
  readonly namespace: string;
  readonly token: string;
}

export interface InCluster {
  /** To be added to the environment of a run. */
  readonly env: Readonly<Record<string, string>>;
  /** Replaces the token, as the kubelet does before the old one expires. */
  replaceToken(token: string): Promise<void>;
  remove(): Promise<void>;
}

export async function inCluster({ url, ca }: Cluster, { namespace, token }: ServiceAccount): Promise<InCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-service-account-'));
  const { hostname, port } = new URL(url);
  for (const [name, text] of Object.entries({ token, 'ca.crt': ca, namespace }))
    await writeFile(join(folder, name), text);
  return {
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port, LOCKSTEP_SERVICE_ACCOUNT_DIR: folder },
    replaceToken: (next) => writeFile(join(folder, 'token'), next),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
