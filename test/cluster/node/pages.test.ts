/** The commands of the pages about Kubernetes on a real node, as the pages show them: each of them runs. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { REPOSITORY } from '../../image/support/lockstep-image.ts';
import { versionsOf } from '../../support/migrations.ts';
import { commandBlocks } from '../../support/page-commands.ts';
import { shellOf } from '../support/person.ts';
import { MIGRATIONS, WEB } from './support/images.ts';
import { RELEASES } from './support/releases.ts';
import { useShop } from './support/shop.ts';

const FIRST = versionsOf(RELEASES.v1);
const SECOND = versionsOf(RELEASES.v2);
const ADDRESS = 'postgresql://shop:…@postgres:5432/shop';

/** The blocks of a page that are still to be run. */
class Page {
  readonly left: string[];

  private constructor(blocks: readonly string[]) {
    this.left = [...blocks];
  }

  static async of(name: string): Promise<Page> {
    return new Page((await commandBlocks(`docs/${name}.md`)).map(({ text }) => text));
  }

  /** The first block with these words, which counts as run. */
  take(words: string): string {
    const index = this.left.findIndex((block) => block.includes(words));
    expect(index, words).not.to.equal(-1);
    return this.left.splice(index, 1)[0]!;
  }
}

describe('the commands of the pages, on a node', function () {
  this.timeout(400_000);
  const shop = useShop();
  let folder: string;

  beforeEach('what a reader has checked out', async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-reader-'));
    for (const each of ['charts', 'examples', 'k8s'])
      await cp(join(REPOSITORY, each), join(folder, each), { recursive: true });
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Runs it where the reader is, with real names instead of the examples; must succeed. */
  async function run(script: string, instead: Readonly<Record<string, string>> = {}): Promise<string> {
    const shell = await shellOf(shop().node, shop().namespace, undefined, folder);
    let text = script;
    for (const [example, real] of Object.entries(instead)) {
      expect(text).to.include(example);
      text = text.replaceAll(example, real);
    }
    const { code, stdout, stderr } = await shell(text);
    expect(code, `${text}\n${stdout}${stderr}`).to.equal(0);
    return stdout;
  }

  /** Runs a block that makes a Job of the CronJob, under this name; the Job must succeed. */
  async function runJob(name: string, block: string, instead: Readonly<Record<string, string>> = {}): Promise<string> {
    const printed = await run(block.replace(/^job=.*/, `job=${name}`), instead);
    expect((await shop().ended(name)).status.succeeded, printed).to.equal(1);
    return printed;
  }

  it('docs/helm.md', async () => {
    const page = await Page.of('helm');
    await shop().kubectl('delete', 'secret', 'shop-db');
    const install = page.take('helm upgrade --install');
    const images = {
      'registry.example.com/shop/migrations': MIGRATIONS,
      'image.tag=1.4.0': `image.tag=${shop().node.images.tag('v1')}`,
    };
    await run(install, { ...images, [ADDRESS]: shop().database.address() });
    expect(await shop().database.versions()).to.deep.equal(FIRST);
    await run(install.slice(install.indexOf('helm ')), images);
    expect(await run(page.take('get jobs -l'))).to.match(
      /shop-lockstep-migrate-1 .*\nshop-lockstep-migrate-2 [^]*MigrationsUpToDate/,
    );
    await run(page.take('--types=Warning'));
    expect(await run(page.take('helm test shop'))).to.include(FIRST[0]);
    expect(await run(page.take('helm dependency update'))).to.include('name: shop-lockstep');
    expect(page.left).to.deep.equal([]);
  });

  it('docs/kubernetes.md and docs/rollback.md', async () => {
    const [page, rollback] = [await Page.of('kubernetes'), await Page.of('rollback')];
    const settings = ['lockstep.mode=hook', 'replicaCount=1'];
    await shop().deploy('v1', settings);
    await shop().deploy('v2', settings);
    const [pod] = await shop().readyPods(1);
    expect(await run(page.take('lastState'), { POD: pod!.metadata.name })).to.include('"exit":0');

    const text = await readFile(join(REPOSITORY, 'docs/kubernetes.md'), 'utf8');
    const commands = [...text.matchAll(/^\| `(\["[^`]*\])` \|/gm)].map(([, command = '']) => command);
    expect(commands).to.have.length(7);
    const pipe = page.take('job=look-');
    let looks = 0;
    const look = (command: string): Promise<string> => {
      expect(commands.splice(commands.indexOf(command), 1)).to.deep.equal([command]);
      looks += 1;
      return runJob(`look-${looks}`, pipe.replaceAll('042_x', '003_add_total'), {
        '["status"]': command.replace('042_x', '003_add_total'),
      });
    };
    expect(await look('["status"]')).to.include('003_add_total');
    expect(await look('["history"]')).to.include('shop-lockstep-migrate-2');
    await look('["lock"]');
    await look('["lock", "--terminate"]');
    await look('["up", "--dry-run"]');

    for (const [index, each] of [page, rollback].entries())
      expect(await runJob(`rb-look-${index}`, each.take('job=rb-look'))).to.include('Dry run: nothing was changed.');
    await runJob('rb-1', page.take('job=rb-$'), { '042_x': '002_index_users_email' });
    expect(await shop().database.versions()).to.deep.equal(FIRST);
    expect(await look('["repair", "--only", "042_x"]')).to.include('003_add_total');
    expect(await look('["repair", "--only", "042_x", "--dry-run=false"]')).to.include('003_add_total');
    expect(commands).to.deep.equal([]);

    await shop().deploy('v2', settings);
    expect(await shop().database.versions()).to.deep.equal(SECOND);
    const prose = await readFile(join(REPOSITORY, 'docs/rollback.md'), 'utf8');
    for (const command of ['helm rollback shop 6', 'kubectl rollout undo deployment/shop']) {
      expect(prose).to.include(`\`${command}\``);
      await run(command.replace(' 6', ' 1'));
    }
    await runJob('rb-2', rollback.take('job=rb-$'), { '001_orders': '001_create_users' });
    expect(await shop().database.versions()).to.deep.equal(['001_create_users']);
    expect([...page.left, ...rollback.left]).to.deep.equal([]);
  });

  it('docs/manifests.md', async () => {
    const page = await Page.of('manifests');
    const namespace = `${shop().namespace}-plain`;
    const { tag } = shop().node.images;
    for (const name of await readdir(join(folder, 'k8s'))) {
      const file = join(folder, 'k8s', name);
      const text = (await readFile(file, 'utf8'))
        .replaceAll('namespace: shop\n', `namespace: ${namespace}\n`)
        .replaceAll('registry.example.com/shop/migrations:1.4.0', `${MIGRATIONS}:${tag('v2')}`)
        .replaceAll('registry.example.com/shop/web:1.4.0', `${WEB}:${tag('web')}`);
      await writeFile(file, text);
    }
    try {
      const first = page.take('create namespace shop');
      const ours = { 'create namespace shop': `create namespace ${namespace}`, '-n shop ': `-n ${namespace} ` };
      expect(await run(first, { ...ours, [ADDRESS]: shop().database.address() })).to.include('"event":"run.finished"');
      for (const words of ['apply -f k8s/job.yaml', 'until kubectl'])
        await run(page.take(words), { '-n shop ': `-n ${namespace} ` });
      expect(await shop().database.journal('applied')).to.deep.equal(SECOND);
      expect(page.left).to.deep.equal([]);
    } finally {
      await shop().node.kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false']);
    }
  });

  it('docs/image.md, but for those of docker', async () => {
    const page = await Page.of('image');
    await shop().deploy('v1', ['replicaCount=1']);
    const [pod] = await shop().readyPods(1);
    await run(page.take('kubectl debug'), {
      POD: pod!.metadata.name,
      CONTAINER: 'web',
      '=busybox': '=localhost/busybox:1',
    });
    await mkdir(join(folder, 'migrations'));
    await writeFile(join(folder, 'migrations/001_a.up.sql'), 'SELECT 1;\n');
    await run(page.take('create configmap'));
    expect(page.left.filter((block) => !block.startsWith('docker '))).to.deep.equal([]);
  });
});
