import { expect } from 'chai';

import { ciValues } from '../../scripts/chart/generated.ts';
import { CHART, parseManifests, runHelm, type Helm } from '../../scripts/chart/helm.ts';
import { plainManifests, renderExample } from '../../scripts/chart/plain-manifests.ts';
import { parseArguments } from '../../src/cli/arguments.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { commandBlocks } from '../support/page-commands.ts';
import { requireHelm } from './support/helms.ts';
import { ciName, envValue, lockstepIn, podsIn, renderCi, type Pod } from './support/manifests.ts';

/** Values that the kubelet would fill in. */
const FROM_ELSEWHERE: Readonly<Record<string, string>> = { DATABASE_URL: 'postgresql://shop@postgres/shop' };

/** In a fleet: Kubernetes gives each pod of an Indexed Job its index, and a person names the target of a rollback. */
function targetOf(pod: Pod): Readonly<Record<string, string>> {
  const [first = ''] = (envValue(lockstepIn(pod), 'LOCKSTEP_TARGETS') ?? '').split(',');
  if (first === '') return {};
  return pod.of.startsWith('Job/') ? { JOB_COMPLETION_INDEX: '0' } : { LOCKSTEP_TARGET: first };
}

/**
 * The configuration that Lockstep reads from the container's arguments and variables. @throws MigratorError when they
 * are invalid.
 */
function configOf(pod: Pod, more: Readonly<Record<string, string>> = {}): Config {
  const { args = [], env = [] } = lockstepIn(pod);
  const raw = parseArguments([...args]);
  if (!('command' in raw)) throw new Error(`${pod.of}: no command in ${args.join(' ')}`);
  const variables = env.map(({ name, value }) => [name, value ?? FROM_ELSEWHERE[name] ?? 'from-the-pod'] as const);
  return parseConfig(raw, { ...Object.fromEntries(variables), ...more }, { terminal: false });
}

describe('the command lines of the chart', () => {
  let helm: Helm;

  before(async function () {
    helm = await requireHelm(this);
  });

  it('are accepted, with the release and the configured directory', async () => {
    const commands = new Set<string>();
    for (const path of await ciValues()) {
      for (const pod of podsIn(await renderCi(helm, ciName(path)))) {
        if (lockstepIn(pod).args?.[0] === '--version') continue;
        const config = configOf(pod, targetOf(pod));
        commands.add(config.command);
        expect(config, `${ciName(path)} ${pod.of}`)
          .to.have.nested.property('identity.release')
          .that.matches(/^shop\/\w+@/);
        if ('files' in config)
          expect(config.files.dir).to.equal(path.endsWith('/volume-values.yaml') ? '/srv/migrations' : '/migrations');
        if (config.command === 'status') expect(config.exitCode, 'helm test can fail').to.be.true;
      }
    }
    expect([...commands].toSorted()).to.deep.equal(['down', 'drift', 'fleet', 'status', 'up']);
  });

  it('of the hook: their first try times out on another runner before Helm times out on them', async () => {
    const [job] = podsIn(await renderCi(helm, 'minimal')).filter(({ of }) => of.startsWith('Job/'));
    expect(configOf(job!)).to.have.nested.property('limits.lockWaitMs', 240_000);
  });

  it('of init containers are accepted', async () => {
    for (const [mode, command] of [
      ['none', 'up'],
      ['hook', 'wait'],
    ]) {
      const [pod] = podsIn(await renderExample(helm, { set: [`lockstep.mode=${mode}`] })).filter(({ of }) =>
        of.startsWith('Deployment/'),
      );
      expect(configOf(pod!)).to.include({ command }).and.to.have.nested.property('identity.release', 'shop@1.4.0');
    }
  });

  for (const page of ['README.md', 'docs/helm.md', 'charts/lockstep/README.md']) {
    it(`that install it work as ${page} shows them`, async () => {
      const lines = (await commandBlocks(page))
        .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'))
        .filter((line) => line.startsWith('helm upgrade --install '));
      expect(lines, page).to.have.length(1);
      const words = lines[0]!.split(/\s+/).slice(3);
      const { code, stdout, stderr } = await runHelm(helm, [
        'template',
        ...words.map((word) => (word === 'charts/lockstep' ? CHART : word)),
      ]);
      expect(code, stderr).to.equal(0);
      expect(podsIn(parseManifests(stdout)).map(({ of }) => of)).to.include('Job/shop-lockstep-migrate-1');
    });
  }

  it('of the rollback are a dry run to the files of the image, unless variables override that', async () => {
    const [pod] = podsIn(await renderCi(helm, 'minimal')).filter(({ of }) => of.startsWith('CronJob/'));
    expect(configOf(pod!)).to.deep.include({ command: 'down', dryRun: true, target: { kind: 'files' } });
    const said = configOf(pod!, { LOCKSTEP_TO: '042_x', LOCKSTEP_DRY_RUN: 'false' });
    expect(said).to.deep.include({ command: 'down', dryRun: false, target: { kind: 'version', version: '042_x' } });
  });

  it('of the rollback without the CronJob roll back to the version that stays, as a dry run unless variables override that', async () => {
    const [pod] = podsIn(parseManifests((await plainManifests(helm)).get('rollback-job.yaml')!));
    expect(configOf(pod!)).to.deep.include({
      command: 'down',
      dryRun: true,
      target: { kind: 'version', version: 'VERSION' },
    });
  });
});
