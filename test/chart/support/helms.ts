/** The Helm versions that the tests of the chart use; where one is missing, the tests say why they are skipped. */
import { findHelm, findHelm3, type Helm } from '../../../scripts/chart/helm.ts';
import { skip } from '../../support/skip.ts';

const NONE = 'There is no Helm on the PATH, and none in HELM, so the tests of the chart do not run.';
const NO_4 = 'There is no Helm 4 on the PATH, and none in HELM, so what only it can do without a cluster does not run.';
const NO_3 = 'There is no helm3 on the PATH, and none in HELM3, so nothing is rendered with Helm 3.';

/** The Helm to render with. Skips the tests without one; with LOCKSTEP_NO_SKIP, as in CI, fails them. */
export async function requireHelm(context: Mocha.Context): Promise<Helm> {
  return required(context, await findHelm(), NONE);
}

export async function requireHelm3(context: Mocha.Context): Promise<Helm> {
  return required(context, await findHelm3(), NO_3);
}

/** Helm 4, for what Helm 3 can do only with a cluster. */
export async function requireHelm4(context: Mocha.Context): Promise<Helm> {
  const helm = await findHelm();
  return required(context, helm?.version.startsWith('v3.') ? undefined : helm, NO_4);
}

function required(context: Mocha.Context, helm: Helm | undefined, message: string): Helm {
  return helm ?? skip(context, message);
}
