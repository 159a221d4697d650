/**
 * A rollback as docs/kubernetes.md shows it, on a real node: the Jobs run, the versions stay rolled back, the next
 * release applies them.
 */
import { join } from 'node:path';
import { expect } from 'chai';

import { REPOSITORY } from '../../image/support/lockstep-image.ts';
import { versionsOf } from '../../support/migrations.ts';
import { blockOf, shellOf } from '../support/person.ts';
import { toldBy, uids } from './support/pods.ts';
import { RELEASES } from './support/releases.ts';
import { succeeds, useShop } from './support/shop.ts';

const PAGE = join(REPOSITORY, 'docs/kubernetes.md');
const SETTINGS = ['lockstep.mode=hook', 'lockstep.initContainer.command=up', 'replicaCount=1'];
const FIRST = versionsOf(RELEASES.v1);
const SECOND = versionsOf(RELEASES.v2);

describe('a rollback on a node', function () {
  this.timeout(300_000);
  const shop = useShop();

  it('runs dry, runs, is not undone by a pod that restarts, and is ended by the next release', async () => {
    const shell = await shellOf(shop().node, shop().namespace);
    /** The output of a block of the page, whose Job has this name. */
    const run = async (job: string, script: string): Promise<string> => {
      const { code, stdout, stderr } = await shell(script.replace(/^job=.*/, `job=${job}`));
      expect(code, stderr).to.equal(0);
      expect((await shop().ended(job)).status.succeeded).to.equal(1);
      return stdout;
    };
    await shop().deploy('v1', SETTINGS);
    await shop().deploy('v2', SETTINGS);
    await shop().rolledOut();
    expect(await shop().database.versions()).to.deep.equal(SECOND);

    expect(await run('rb-look', await blockOf(PAGE, 'sh', 'job=rb-look'))).to.include('Dry run: nothing was changed.');
    const pipe = (await blockOf(PAGE, 'sh', 'job=rb-$')).replace('042_x', '002_index_users_email');
    expect(await run('rb-see', pipe.replace('LOCKSTEP_DRY_RUN=false ', '')))
      .to.include('would roll back 003_add_total')
      .and.include('destroys column total of users');
    expect(await shop().database.versions()).to.deep.equal(SECOND);

    await run('rb', pipe);
    expect(await shop().reasons('Job', await shop().ended('rb'))).to.deep.equal([
      'RollbackStarted',
      'MigrationRolledBack',
      'RollbackCompleted',
    ]);
    expect(await shop().database.versions()).to.deep.equal(FIRST);

    const [running] = await shop().readyPods(1);
    await shop().kubectl('delete', 'pod', running!.metadata.name, '--wait=false');
    const [restarted] = await shop().podsThat(
      'another pod',
      (pods) => pods.length === 1 && pods[0]!.metadata.uid !== running!.metadata.uid,
    );
    const { pod: held, ending } = await shop().endingOf(restarted!.metadata.name, 'the end');
    expect(ending.exitCode).to.equal(22);
    expect(toldBy(held)).to.include({ exit: 22, code: 'HISTORY_CONFLICT' });
    expect(await shop().reasons('Pod', held)).to.include('HistoryConflict');
    expect(await shop().database.versions()).to.deep.equal(FIRST);

    succeeds(await shop().helm(['rollback', 'shop', '1']));
    await shop().rolledOut();
    expect(uids(await shop().readyPods(1))).not.to.deep.equal(uids([held]));
    expect(await shop().database.versions()).to.deep.equal(FIRST);

    await shop().deploy('v2', SETTINGS);
    await shop().rolledOut();
    expect(await shop().database.versions()).to.deep.equal(SECOND);
    expect(await shop().database.journal('applied')).to.deep.equal([...SECOND, '003_add_total']);
    expect(await shop().database.journal('rolled back')).to.deep.equal(['003_add_total']);
  });

  it('binds the same release no longer once that is uninstalled and installed again: its revisions begin at 2-1', async () => {
    const settings = ['lockstep.mode=hook', 'replicaCount=1'];
    await shop().deploy('v2', settings);
    const pipe = (await blockOf(PAGE, 'sh', 'job=rb-$')).replace('042_x', '002_index_users_email');
    const { code, stderr } = await (await shellOf(shop().node, shop().namespace))(pipe);
    expect(code, stderr).to.equal(0);
    expect(await shop().database.versions()).to.deep.equal(FIRST);
    succeeds(await shop().helm(['uninstall', 'shop', '--wait']));
    await shop().deploy('v2', settings);
    expect(await shop().database.versions()).to.deep.equal(SECOND);
    expect((await shop().ended('shop-lockstep-migrate-2-1')).status.succeeded).to.equal(1);
    await shop().rolledOut();
  });

  it('runs with helm rollback where rollback.auto is set: the older image rolls back what it has no files for', async () => {
    const settings = ['lockstep.mode=hook', 'lockstep.rollback.auto=true', 'replicaCount=1'];
    await shop().deploy('v1', settings);
    await shop().deploy('v2', settings);
    await shop().rolledOut();
    expect(await shop().database.versions()).to.deep.equal(SECOND);
    succeeds(await shop().helm(['rollback', 'shop', '1']));
    expect(await shop().reasons('Job', await shop().ended('shop-lockstep-auto-rollback'))).to.deep.equal([
      'RollbackStarted',
      'MigrationRolledBack',
      'RollbackCompleted',
    ]);
    expect(await shop().database.versions()).to.deep.equal(FIRST);
    await shop().rolledOut();
    const [pod] = await shop().readyPods(1);
    expect(pod!.spec.initContainers![0]!.image).to.match(new RegExp(`:${shop().node.images.tag('v1')}$`));
  });
});
