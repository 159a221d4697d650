import { expect } from 'chai';

import { ciValues } from '../../scripts/chart/generated.ts';
import type { Helm, Manifest } from '../../scripts/chart/helm.ts';
import { requireHelm } from './support/helms.ts';
import { ciName, envValue, idOf, jobSpec, lockstepIn, one, podsIn, renderCi } from './support/manifests.ts';

const HOOK = 'helm.sh/hook';
const WEIGHT = 'helm.sh/hook-weight';
const POLICY = 'helm.sh/hook-delete-policy';
const OUTPUT = 'helm.sh/hook-output-log-policy';
const ARGO_HOOK = 'argocd.argoproj.io/hook';
const WAVE = 'argocd.argoproj.io/sync-wave';

function annotation(manifest: Manifest, name: string): string {
  return manifest.metadata.annotations?.[name] ?? '';
}

/** Hooks in the order in which Helm creates them: by weight. */
function hooksFor(manifests: readonly Manifest[], event: string): Manifest[] {
  const hooks = manifests.filter((manifest) => annotation(manifest, HOOK).split(',').includes(event));
  return hooks.toSorted((a, b) => Number(annotation(a, WEIGHT)) - Number(annotation(b, WEIGHT)));
}

function distinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

describe('the hooks', () => {
  let helm: Helm;
  const all = new Map<string, Manifest[]>();

  before(async function () {
    helm = await requireHelm(this);
    for (const path of await ciValues()) all.set(ciName(path), await renderCi(helm, ciName(path)));
  });

  it('of an install and an upgrade are created in this order, the Job last', () => {
    for (const event of ['pre-install', 'pre-upgrade']) {
      const kinds = (name: string): string[] => hooksFor(all.get(name)!, event).map(({ kind }) => kind);
      expect(kinds('minimal')).to.deep.equal(['ConfigMap', 'ServiceAccount', 'Role', 'RoleBinding', 'Job']);
      expect(kinds('url')).to.deep.equal(['ConfigMap', 'ServiceAccount', 'Role', 'RoleBinding', 'Secret', 'Job']);
      expect(kinds('account')).to.deep.equal(['ConfigMap', 'Role', 'RoleBinding', 'Job']);
      expect(kinds('no-events')).to.deep.equal(['ConfigMap', 'ServiceAccount', 'Job']);
      expect(kinds('start')).to.deep.equal(['ConfigMap', 'ServiceAccount', 'Role', 'RoleBinding', 'Job', 'Job']);
      expect(kinds('job')).to.deep.equal(['ConfigMap']);
      expect(kinds('fleet')).to.deep.equal([
        'ConfigMap',
        'ServiceAccount',
        'Role',
        'RoleBinding',
        'CronJob',
        'Job',
        'Job',
      ]);
      expect(kinds('fleet-job')).to.deep.equal(['ConfigMap', 'CronJob']);
      expect([...kinds('none'), ...kinds('argocd'), ...kinds('argocd-presync')]).to.deep.equal([]);
    }
  });

  it('have distinct explicit weights, lower ones for what the Job needs', () => {
    let seen = 0;
    for (const [name, manifests] of all) {
      const hooks = hooksFor(manifests, 'pre-install');
      const weights = hooks.map((manifest) => annotation(manifest, WEIGHT));
      expect(weights.every((weight) => /^-?\d+$/.test(weight)) && distinct(weights), `${name}: ${weights.join()}`).to.be
        .true;
      seen += hooks.length;
    }
    expect(seen).to.be.greaterThan(20);
    expect(annotation(one(all.get('everything')!, 'Job'), WEIGHT)).to.equal('20');
  });

  it('are replaced before the next run and stay until then, and Helm shows the logs of Jobs', () => {
    for (const [name, manifests] of all) {
      for (const manifest of manifests.filter((each) => annotation(each, HOOK) !== '')) {
        const isTrial = idOf(manifest).startsWith('Job/shop-lockstep-start-');
        expect(annotation(manifest, POLICY), `${name} ${idOf(manifest)}`).to.equal(
          isTrial ? 'before-hook-creation,hook-succeeded' : 'before-hook-creation',
        );
        if (manifest.kind === 'Job' && !isTrial)
          expect(annotation(manifest, OUTPUT)).to.equal('hook-failed,hook-succeeded');
      }
    }
  });

  it('try whether the pod can start, with all that the pod of the Job has', () => {
    const [trial, job] = podsIn(hooksFor(all.get('start')!, 'pre-install'));
    expect([trial!.of, job!.of]).to.deep.equal(['Job/shop-lockstep-start-1', 'Job/shop-lockstep-migrate-1']);
    const [tried, real] = [lockstepIn(trial!), lockstepIn(job!)];
    expect(tried).to.deep.include({ args: ['--version'], image: real.image, resources: real.resources });
    expect(envValue(tried, 'DATABASE_URL')).to.equal(envValue(real, 'DATABASE_URL'));
    expect(trial!.spec.serviceAccountName).to.equal(job!.spec.serviceAccountName);
  });

  it('have a service account that nothing else uses', () => {
    for (const [name, manifests] of all) {
      if (name === 'account') continue;
      const isHook = (kind: string, id: string): boolean =>
        manifests.some(
          (each) =>
            each.kind === kind &&
            idOf(each) === id &&
            annotation(each, HOOK) !== '' &&
            annotation(each, HOOK) !== 'test',
        );
      const recreated = manifests
        .filter((each) => each.kind === 'ServiceAccount' && annotation(each, HOOK) !== '')
        .map(({ metadata }) => metadata.name);
      for (const { of, spec } of podsIn(manifests)) {
        if (annotation(one(manifests, of.split('/')[0]!, of.split('/')[1]), ARGO_HOOK) !== '') continue;
        expect(recreated.includes(spec.serviceAccountName), `${name}: ${of} uses ${spec.serviceAccountName}`).to.equal(
          recreated.length > 0 && (isHook('Job', of) || isHook('CronJob', of)),
        );
      }
    }
  });

  it('use an existing service account unchanged, and never create it', () => {
    const manifests = all.get('account')!;
    expect(manifests.filter(({ kind }) => kind === 'ServiceAccount')).to.deep.equal([]);
    expect(podsIn(manifests).map(({ spec }) => spec.serviceAccountName)).to.deep.equal([
      'shop-migrator',
      'shop-migrator',
      'shop-migrator',
    ]);
  });

  it('get the connection URL from a copy that is created before them, pods from the ordinary Secret', () => {
    const manifests = all.get('url')!;
    const secretOf = (kind: string): string | undefined =>
      envValue(lockstepIn(podsIn(manifests).find(({ of }) => of.startsWith(kind))!), 'DATABASE_URL');
    expect([secretOf('Job/'), secretOf('CronJob/'), secretOf('Pod/')]).to.deep.equal([
      'shop-lockstep-hook',
      'shop-lockstep',
      'shop-lockstep',
    ]);
    expect(annotation(one(manifests, 'Secret', 'shop-lockstep-hook'), HOOK)).to.equal('pre-install,pre-upgrade');
    expect(annotation(one(manifests, 'Secret', 'shop-lockstep'), HOOK)).to.equal('');
  });

  it('render no Secret where one exists, nor any of its content', () => {
    for (const [name, manifests] of all) {
      const inline = ['url', 'job-url', 'argocd', 'argocd-job', 'auto-rollback'].includes(name);
      expect(
        manifests.some(({ kind }) => kind === 'Secret'),
        name,
      ).to.equal(inline);
    }
  });

  describe('before a rollback', () => {
    it('exist only with rollback.auto', () => {
      for (const [name, manifests] of all) {
        expect(hooksFor(manifests, 'pre-rollback').length > 0, name).to.equal(name === 'auto-rollback');
      }
    });

    it('roll back the versions that the image has no files for, after what the Job needs', () => {
      const hooks = hooksFor(all.get('auto-rollback')!, 'pre-rollback');
      expect(hooks.map(({ kind }) => kind)).to.deep.equal(['ServiceAccount', 'Role', 'RoleBinding', 'Secret', 'Job']);
      expect(distinct(hooks.map((hook) => annotation(hook, WEIGHT)))).to.be.true;
      const container = lockstepIn(podsIn(hooks)[0]!);
      expect(container.args).to.deep.equal(['down']);
      expect(envValue(container, 'LOCKSTEP_TO_FILES')).to.equal('true');
      expect(envValue(container, 'LOCKSTEP_DRY_RUN')).to.equal(undefined);
      expect(jobSpec(hooks.at(-1)!).backoffLimit).to.equal(0);
    });
  });

  describe('of Argo CD', () => {
    it('are never mixed with those of Helm', () => {
      let seen = 0;
      for (const [name, manifests] of all) {
        const helms = manifests.filter((each) => annotation(each, HOOK) !== '');
        const argos = manifests.filter((each) =>
          Object.keys(each.metadata.annotations ?? {}).some((key) => key.startsWith('argocd.')),
        );
        expect(name.startsWith('argocd') ? helms : argos, name).to.deep.equal([]);
        seen += argos.length;
      }
      expect(seen).to.be.greaterThan(10);
    });

    for (const [name, phase] of [
      ['argocd', 'Sync'],
      ['argocd-presync', 'PreSync'],
    ] as const) {
      it(`come in the ${phase} phase, each in a wave of its own, the Job last`, () => {
        const hooks = all.get(name)!.filter((each) => annotation(each, ARGO_HOOK) !== '');
        expect(hooks.map((each) => annotation(each, ARGO_HOOK))).to.satisfy((phases: string[]) =>
          phases.every((each) => each === phase),
        );
        expect(
          hooks.every((each) => annotation(each, 'argocd.argoproj.io/hook-delete-policy') === 'BeforeHookCreation'),
        ).to.be.true;
        const ordered = hooks.toSorted((a, b) => Number(annotation(a, WAVE)) - Number(annotation(b, WAVE)));
        expect(distinct(hooks.map((each) => annotation(each, WAVE)))).to.be.true;
        expect(ordered.map(({ kind }) => kind).filter((kind) => kind !== 'Secret')).to.deep.equal([
          'ServiceAccount',
          'Role',
          'RoleBinding',
          'Job',
        ]);
        expect(annotation(ordered.at(-1)!, WAVE)).to.equal(name === 'argocd' ? '-3' : '-1');
      });
    }

    it('do not exist for an ordinary Job, which comes in a wave after what it needs', () => {
      const inWaves = all.get('argocd-job')!.filter((each) => annotation(each, WAVE) !== '');
      const ordered = inWaves.toSorted((a, b) => Number(annotation(a, WAVE)) - Number(annotation(b, WAVE)));
      expect(ordered.map(({ kind }) => kind)).to.deep.equal(['ServiceAccount', 'Role', 'RoleBinding', 'Secret', 'Job']);
      expect(annotation(ordered.at(-1)!, WAVE)).to.equal('-1');
      expect(inWaves.every((each) => annotation(each, ARGO_HOOK) === '')).to.be.true;
    });

    it("name the release by Argo CD's revision, because Helm's is missing", () => {
      expect(
        envValue(lockstepIn(podsIn(all.get('argocd')!).find(({ of }) => of.startsWith('Job/'))!), 'LOCKSTEP_RELEASE'),
      ).to.equal('shop/3f2a9c1@1.4.0');
    });
  });
});
