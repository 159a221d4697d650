import { join, resolve } from 'node:path';
import { expect } from 'chai';

import { CHART, parseManifests, renderText } from '../../scripts/chart/helm.ts';
import { requireHelm } from '../chart/support/helms.ts';
import { envValue, jobSpec, lockstepIn, one, podsIn, type Container } from '../chart/support/manifests.ts';
import { apiServer, createNamespace, createServiceAccount, type ApiServer, type Rule } from './support/api-server.ts';
import { look, type Live } from './support/jobs.ts';
import { blockOf, shellOf, type Said } from './support/person.ts';

const PAGE = join(resolve(import.meta.dirname, '../..'), 'docs/kubernetes.md');

describe('a rollback as docs/kubernetes.md describes it, by a user with the permissions that it lists', () => {
  let api: ApiServer;
  let namespace: string;
  let shell: (script: string) => Promise<Said>;

  before(async function () {
    api = await apiServer(this);
    namespace = await createNamespace(api);
    await api.kubectl(
      ['apply', '--namespace', namespace, '-f', '-'],
      await renderText(await requireHelm(this), { values: join(CHART, 'ci/none-values.yaml'), namespace }),
    );
    const role = one(parseManifests(await blockOf(PAGE, 'yaml', 'pods/log')), 'Role');
    shell = await shellOf(
      api,
      namespace,
      await createServiceAccount(api, namespace, 'person', role['rules'] as Rule[]),
    );
  });

  async function succeeds(script: string): Promise<void> {
    const { code, stderr } = await shell(script);
    expect(code, stderr).to.equal(0);
  }

  async function made(name: string): Promise<{ job: Live; container: Container }> {
    const job = await look(api, namespace, 'job', name);
    return { job: job!, container: lockstepIn(podsIn([job!])[0]!) };
  }

  /** Runs a block of the page but for its last line, which waits for a pod; the Job has this name. */
  async function creates(name: string, block: string): Promise<void> {
    const lines = block.trimEnd().split('\n');
    expect([lines[0], lines.at(-1)]).to.deep.equal([
      `job=${name}-$(date +%s)`,
      'until kubectl logs --follow "job/$job" -c lockstep; do sleep 1; done',
    ]);
    await succeeds([`job=${name}`, ...lines.slice(1, -1)].join('\n'));
  }

  it('can run dry first', async () => {
    await creates('rb-look', await blockOf(PAGE, 'sh', 'job=rb-look'));
    const { job, container } = await made('rb-look');
    expect(container.args).to.deep.equal(['down']);
    expect([
      envValue(container, 'LOCKSTEP_DRY_RUN'),
      envValue(container, 'LOCKSTEP_TO_FILES'),
      envValue(container, 'LOCKSTEP_TO'),
    ]).to.deep.equal(['true', 'true', undefined]);
    expect(jobSpec(job).podFailurePolicy.rules).to.have.length(2);
    expect(job.metadata.ownerReferences?.map(({ name }) => name)).to.deep.equal(['shop-lockstep-rollback']);
  });

  it('is created by one pipe, with the target that was named, and everything else from the CronJob', async () => {
    await creates('rb', await blockOf(PAGE, 'sh', 'job=rb-$'));
    const [{ job, container }, first] = [await made('rb'), await made('rb-look')];
    expect([envValue(container, 'LOCKSTEP_TO'), envValue(container, 'LOCKSTEP_DRY_RUN')]).to.deep.equal([
      '042_x',
      'false',
    ]);
    const others = (one: Container): unknown => ({
      ...one,
      env: one.env!.filter(({ name }) => !['LOCKSTEP_TO', 'LOCKSTEP_DRY_RUN'].includes(name)),
    });
    expect(others(container)).to.deep.equal(others(first.container));
    expect(jobSpec(job).podFailurePolicy).to.deep.equal(jobSpec(first.job).podFailurePolicy);
    expect(jobSpec(job).backoffLimit).to.equal(0);
  });

  it('gives way to another command by one pipe, with everything else from the CronJob', async () => {
    await creates('look', await blockOf(PAGE, 'sh', 'job=look-'));
    const [{ job, container }, first] = [await made('look'), await made('rb-look')];
    expect(container).to.deep.equal({ ...first.container, args: ['status'] });
    expect(job.metadata.ownerReferences?.map(({ name }) => name)).to.deep.equal(['shop-lockstep-rollback']);
  });

  it('needs no other permission: not to read a Secret, to change the CronJob, or to delete a Job', async () => {
    for (const script of [
      'kubectl get secrets',
      'kubectl delete cronjob shop-lockstep-rollback',
      'kubectl delete job rb',
      'kubectl get pods -n default',
    ]) {
      const { code, stderr } = await shell(script);
      expect(code, script).not.to.equal(0);
      expect(stderr, script).to.match(/forbidden/i);
    }
  });
});
