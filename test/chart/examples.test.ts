import { basename, join, resolve } from 'node:path';
import { expect } from 'chai';

import { exampleValues } from '../../scripts/chart/generated.ts';
import { CHART, render, runHelm, type Helm, type Manifest } from '../../scripts/chart/helm.ts';
import { renderExample } from '../../scripts/chart/plain-manifests.ts';
import { requireHelm } from './support/helms.ts';
import { envValue, jobsIn, lockstepIn, one, podsIn, type Container } from './support/manifests.ts';

const VALUES = resolve(import.meta.dirname, '../../examples/values');

describe('the examples of values', () => {
  let helm: Helm;

  before(async function () {
    helm = await requireHelm(this);
  });

  const rendered = (name: string): Promise<Manifest[]> => render(helm, { values: join(VALUES, `${name}.yaml`) });
  const container = async (name: string): Promise<Container> =>
    lockstepIn(podsIn(jobsIn(await rendered(name)).filter(({ kind }) => kind === 'Job'))[0]!);

  it('pass helm lint --strict, and keep the pods restricted', async () => {
    const files = await exampleValues();
    expect(files.map((file) => basename(file, '.yaml')).toSorted()).to.deep.equal([
      'cloud-sql',
      'cloudnative-pg',
      'entra-id',
      'external-secrets',
      'rds-iam',
      'tls-ca',
      'zalando',
    ]);
    for (const file of files) {
      const { code, stdout, stderr } = await runHelm(helm, ['lint', '--strict', '--values', file, CHART]);
      expect(code, stdout + stderr).to.equal(0);
      for (const { of, spec } of podsIn(await render(helm, { values: file })))
        for (const { securityContext } of [...spec.containers, ...(spec.initContainers ?? [])])
          expect(securityContext, `${file} ${of}`).to.deep.include({
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          });
    }
  });

  it('take the parts of the address from keys of their own, and no DATABASE_URL', async () => {
    const parts = async (name: string): Promise<unknown> =>
      (await container(name)).env
        ?.filter(({ name: variable }) => variable.startsWith('PG') || variable === 'DATABASE_URL')
        .map((variable) => [variable.name, variable.valueFrom?.secretKeyRef?.key ?? variable.value]);
    expect(await parts('cloudnative-pg')).to.have.deep.members([
      ['PGHOST', 'host'],
      ['PGPORT', 'port'],
      ['PGUSER', 'username'],
      ['PGPASSWORD', 'password'],
      ['PGDATABASE', 'dbname'],
    ]);
    expect(await parts('zalando')).to.have.deep.members([
      ['PGUSER', 'username'],
      ['PGPASSWORD', 'password'],
      ['PGHOST', 'acid-shop'],
      ['PGDATABASE', 'shop'],
      ['PGSSLMODE', 'require'],
    ]);
    const refusal = await render(helm, { set: ['image.repository=a/b', 'database.secretKeys.host=host'] }).catch(
      (error: unknown) => (error as Error).message,
    );
    expect(refusal).to.include('database.secretKeys: name the Secret in existingSecret');
  });

  for (const name of ['rds-iam', 'entra-id']) {
    it(`write a token where Lockstep reads the password, in every pod, by a native sidecar: ${name}`, async () => {
      for (const pod of podsIn(await rendered(name))) {
        const lockstep = lockstepIn(pod);
        expect(envValue(lockstep, 'LOCKSTEP_PASSWORD_FILE'), pod.of).to.equal('/token/password');
        const [sidecar, ...more] = pod.spec.initContainers!;
        expect(more).to.deep.equal([]);
        expect([sidecar!.restartPolicy, sidecar!.args?.join()]).to.satisfy(
          ([policy, script]: string[]) => policy === 'Always' && script!.includes('mv /token/next /token/password'),
        );
        for (const { volumeMounts } of [sidecar!, lockstep])
          expect(
            volumeMounts?.filter(({ mountPath }) => mountPath === '/token').map((mount) => mount.name),
          ).to.deep.equal(['token']);
      }
    });
  }

  it('mount the certificate that PGSSLROOTCERT names', async () => {
    const lockstep = await container('tls-ca');
    expect(envValue(lockstep, 'PGSSLMODE')).to.equal('verify-full');
    const [folder] = lockstep.volumeMounts!.filter(({ name }) => name === 'postgres-ca');
    expect(envValue(lockstep, 'PGSSLROOTCERT')).to.equal(`${folder!.mountPath}/ca.crt`);
  });
});

describe('two databases in one application', () => {
  it('have init containers, volumes and objects by the names of their aliases', async function () {
    const helm = await requireHelm(this);
    const manifests = await renderExample(
      helm,
      { set: ['orders.migrations.configMap=orders-files', 'stock.migrations.configMap=stock-files'] },
      'two-databases',
    );
    const [pod] = podsIn([one(manifests, 'Deployment')]);
    const volumes = pod!.spec.volumes!;
    expect(volumes.map(({ name }) => name)).to.deep.equal([
      'orders-token',
      'orders-migrations',
      'stock-token',
      'stock-migrations',
    ]);
    for (const [index, alias] of ['orders', 'stock'].entries()) {
      const container = pod!.spec.initContainers![index]!;
      expect(container.name).to.equal(alias);
      expect(container.image).to.match(new RegExp(`/${alias}-migrations:1.4.0$`));
      expect(envValue(container, 'DATABASE_URL')).to.equal(`${alias}-db`);
      expect(envValue(container, 'LOCKSTEP_CONTAINER')).to.equal(alias);
      expect(container.volumeMounts?.map(({ name }) => name)).to.deep.equal([`${alias}-token`, `${alias}-migrations`]);
      expect(volumes).to.deep.include({ name: `${alias}-migrations`, configMap: { name: `${alias}-files` } });
      expect(one(manifests, 'CronJob', `shop-${alias}-rollback`).kind).to.equal('CronJob');
    }
  });
});
