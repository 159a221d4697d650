import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { ciValues } from '../../scripts/chart/generated.ts';
import { CHART, renderText, runHelm, type Helm } from '../../scripts/chart/helm.ts';
import { requireHelm, requireHelm3 } from './support/helms.ts';
import { ciName } from './support/manifests.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

const ENOUGH = ['image.repository=registry.example.com/shop', 'database.existingSecret=shop-db'];

const schema = JSON.parse(await readFile(join(CHART, 'values.schema.json'), 'utf8')) as Schema;

/** The path of every object that has named values. */
function objectsIn({ properties }: Schema, path = ''): string[] {
  if (properties === undefined) return [];
  return [
    path,
    ...Object.entries(properties).flatMap(([name, inner]) => objectsIn(inner, path === '' ? name : `${path}.${name}`)),
  ];
}

describe('the values of the chart', () => {
  let helm: Helm;

  before(async function () {
    helm = await requireHelm(this);
  });

  /** The error of Helm when it refuses the values; empty when it accepts them. */
  async function refusal(...set: string[]): Promise<string> {
    return renderText(helm, { set: [...ENOUGH, ...set] }).then(
      () => '',
      (error: unknown) => (error as Error).message,
    );
  }

  it('are refused where the name is unknown, at every level', async () => {
    const objects = objectsIn(schema);
    expect(objects).to.include('image').and.to.include('');
    for (const object of objects) {
      const words = await refusal(`${object === '' ? '' : `${object}.`}unknwon=1`);
      expect(words, object).to.match(/additional properties? .*unknwon|Additional property unknwon/i);
    }
  });

  it('may come from a parent chart, which adds the values of Helm and of a condition', async () => {
    expect(await refusal('global.imageRegistry=x', 'enabled=true')).to.equal('');
  });

  for (const [set, words] of [
    ['mode=hok', 'mode'],
    ['image.repository=registry.example.com/shop:1.4.0', 'repository'],
    ['image.digest=sha256:abc', 'digest'],
    ['image.tag=a b', 'tag'],
    ['image.tag=20261128', 'tag'],
    ['database.url=mysql://x', 'url'],
    ['hook.lockWait=4 minutes', 'lockWait'],
    ['job.ttlSecondsAfterFinished=0', 'ttlSecondsAfterFinished'],
    ['job.backoffLimit=-1', 'backoffLimit'],
    ['argocd.hook=PostSync', 'hook'],
    ['initContainer.command=down', 'command'],
    ['initContainer.name=Migrate', 'name'],
    ['migrations.dir=migrations', 'dir'],
    ['terminationGracePeriodSeconds=1', 'terminationGracePeriodSeconds'],
    ['extraEnv[0].value=x', 'extraEnv'],
    ['revision=7', 'revision'],
  ] as const) {
    it(`are refused when they are invalid: ${set}`, async () => {
      expect(await refusal(set)).to.include(words);
    });
  }

  it('need an image, which has no default', async () => {
    expect(
      await renderText(helm, { set: ENOUGH.slice(1) }).catch((error: unknown) => (error as Error).message),
    ).to.include('repository');
    expect(
      await renderText(helm, { set: [...ENOUGH.slice(1), 'image=null'] }).catch(
        (error: unknown) => (error as Error).message,
      ),
    ).to.match(/image/);
  });

  it('need exactly one connection URL; all problems are reported together', async () => {
    const words = await refusal(
      'database.existingSecret=',
      'migrations.image=a/b:1',
      'migrations.configMap=m',
      'argocd.enabled=true',
      'rollback.auto=true',
    );
    expect(words)
      .to.include('database: give existingSecret')
      .and.to.include('only one of image, configMap and volume')
      .and.to.include('rollback.auto');
    expect(await refusal('database.url=postgresql://x')).to.include('not both');
    expect(await refusal('database.existingSecret=', 'extraEnv[0].name=PGHOST', 'extraEnv[0].value=postgres')).to.equal(
      '',
    );
  });

  describe('of ci/', () => {
    it('pass helm lint --strict, and the empty ones do not', async () => {
      const values = await ciValues();
      expect(values.length).to.be.greaterThan(10);
      for (const path of values) {
        const { code, stdout, stderr } = await runHelm(helm, ['lint', '--strict', '--values', path, CHART]);
        expect(code, `${ciName(path)}: ${stdout}${stderr}`).to.equal(0);
      }
      const bare = await runHelm(helm, ['lint', '--strict', CHART]);
      expect(bare.code).to.equal(1);
      expect(bare.stdout + bare.stderr).to.include('/image/repository');
    });

    it('render the same in Helm 3 and Helm 4', async function () {
      const helm3 = await requireHelm3(this);
      expect(helm3.version).to.match(/^v3\./);
      for (const path of await ciValues()) {
        expect(await renderText(helm3, { values: path }), ciName(path)).to.equal(
          await renderText(helm, { values: path }),
        );
        const { code, stdout, stderr } = await runHelm(helm3, ['lint', '--strict', '--values', path, CHART]);
        expect(code, `${ciName(path)}: ${stdout}${stderr}`).to.equal(0);
      }
    });
  });
});
