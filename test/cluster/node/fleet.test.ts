/**
 * Forty databases on one server, on a real node: two of them broken, pods that are evicted and killed, a canary that
 * fails, and what docs/fleets.md says to do then.
 */
import { expect } from 'chai';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CHART, type Helm, type HelmResult } from '../../../scripts/chart/helm.ts';
import { requireHelm3 } from '../../chart/support/helms.ts';
import { expectExit, runCli } from '../../support/cli.ts';
import { versionsOf } from '../../support/migrations.ts';
import { commandBlocks } from '../../support/page-commands.ts';
import { shellOf } from '../support/person.ts';
import { MIGRATIONS } from './support/images.ts';
import { useNode } from './support/node.ts';
import { names, toldBy, type Told } from './support/pods.ts';
import type { Database } from './support/postgres.ts';
import { RELEASES } from './support/releases.ts';
import { Shop, succeeds, useShop } from './support/shop.ts';

const FILES = versionsOf(RELEASES.slow);
const migrate = (revision: number): string => `shop-lockstep-migrate-${revision}`;

const nameOf = (index: number): string => `t-${String(index).padStart(2, '0')}`;
const FIRST = Array.from({ length: 40 }, (_, index) => nameOf(index));
const ALL = [...FIRST, nameOf(40), nameOf(41)];
const [REFUSED, FAILING] = [nameOf(7), nameOf(23)];
const BROKEN = [REFUSED, FAILING];

type Values = Readonly<Record<string, unknown>>;

async function upgrade(shop: Shop, fleet: Values, more: Values = {}, helm: Helm = shop.node.helm): Promise<HelmResult> {
  const values = {
    image: { repository: MIGRATIONS, tag: shop.node.images.tag('slow'), pullPolicy: 'IfNotPresent' },
    resources: { requests: { cpu: '5m' } },
    // As long waits a run for another password.
    extraEnv: [{ name: 'LOCKSTEP_CONNECT_WAIT', value: '5s' }],
    fleet: { secretName: 'shop-dbs', parallelism: 4, ...fleet },
    ...more,
  };
  const sets = Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`]);
  return await shop.helm(['upgrade', '--install', 'shop', CHART, '--timeout=280s', ...sets], helm);
}

async function create(
  { node, namespace }: Shop,
  kind: 'Secret' | 'ConfigMap',
  name: string,
  text: Readonly<Record<string, string>>,
): Promise<void> {
  const content = kind === 'Secret' ? { stringData: text } : { data: text };
  const object = { apiVersion: 'v1', kind, metadata: { name }, ...content };
  await node.kubectl(['create', '--namespace', namespace, '-f', '-'], JSON.stringify(object));
}

function withoutAccess(address: string): string {
  return Object.assign(new URL(address), { password: 'wrong' }).href;
}

describe('a fleet on a node, with Helm 3', function () {
  this.timeout(120_000);
  const shop = useShop();

  it('fails the release where one of three fails; the others are migrated', async function () {
    const address = shop().database.address();
    await create(shop(), 'Secret', 'shop-dbs', { a: withoutAccess(address), b: address, c: address });
    const { code, stdout } = await upgrade(shop(), { targets: ['a', 'b', 'c'] }, {}, await requireHelm3(this));
    expect(code, stdout).not.to.equal(0);
    const { status } = await shop().ended(migrate(1));
    expect(status).to.include({ completedIndexes: '1,2', failedIndexes: '0' });
    expect(await shop().database.journal('applied'), 'of two runs in one database').to.deep.equal(FILES);
  });
});

describe('a fleet on a node', function () {
  this.timeout(300_000);
  const node = useNode();
  const databases = new Map<string, Database>();
  let shop: Shop;
  let folder: string;
  let failed = false;
  /** Once there is something to remove. */
  let close: (() => Promise<void>) | undefined;

  before('a database for each target, and a Secret with the addresses', async function () {
    this.timeout(120_000);
    shop = await Shop.create(node());
    folder = await mkdtemp(join(tmpdir(), 'lockstep-fleet-'));
    close = async () => {
      for (const database of databases.values()) await database.close();
      if (failed) console.error(`      kept: namespace ${shop.namespace}`);
      await shop.close({ keep: failed });
      await rm(folder, { recursive: true, force: true });
    };
    for (const name of ALL) databases.set(name, await node().postgres.createDatabase());
    const addresses = Object.fromEntries([...databases].map(([name, { address }]) => [name, address()]));
    await create(shop, 'Secret', 'shop-dbs', { ...addresses, [REFUSED]: withoutAccess(addresses[REFUSED]!) });
    await databases.get(FAILING)!.query('CREATE TABLE users (id int)');
  });

  afterEach(function () {
    failed ||= this.currentTest?.state === 'failed';
  });

  after('remove the namespace', () => close?.());

  const release = (fleet: Values, more: Values = {}): Promise<HelmResult> => upgrade(shop, fleet, more);

  /** Runs the block of the page with these words; it must succeed, and say what the page shows. */
  async function page(words: string, instead: Readonly<Record<string, string>> = {}): Promise<string> {
    const block = (await commandBlocks('docs/fleets.md')).find(({ text }) => text.includes(words));
    let script = block?.text ?? `echo no block has ${words}; exit 1`;
    for (const [example, real] of Object.entries(instead)) {
      expect(script).to.include(example);
      script = script.replaceAll(example, real);
    }
    const { code, stdout, stderr } = await (await shellOf(node(), shop.namespace))(script);
    expect(code, `${script}\n${stdout}${stderr}`).to.equal(0);
    const shown = (block?.shown ?? '').split('\n').filter((line) => line !== '…');
    expect(stdout.split('\n').map(withoutTimes)).to.include.members(shown.map(withoutTimes));
    return stdout;
  }

  /** The row of a target in the table of `fleet status`. */
  function row(table: string, target: string): string {
    return table.split('\n').find((line) => line.startsWith(`${target} `)) ?? `no ${target} in:\n${table}`;
  }

  async function podsOf(job: string, target: string): ReturnType<Shop['podsOfJob']> {
    const index = Number(target.split('-')[1]);
    return await shop.pods(`batch.kubernetes.io/job-name=${job},batch.kubernetes.io/job-completion-index=${index}`);
  }

  async function appliedIn(target: string): Promise<string[]> {
    return await databases.get(target)!.journal('applied');
  }

  it('has two failed indexes of forty, although pods were evicted and killed meanwhile; the release fails', async () => {
    const [evicted, killed] = [databases.get(nameOf(1))!, databases.get(nameOf(2))!];
    const gates = [await evicted.closeGate(), await killed.closeGate()];
    try {
      const done = release({ targets: FIRST });
      // The code that awaits it sees the failure.
      done.catch(() => undefined);
      for (const database of [evicted, killed]) await database.arrived();
      const podOf = async (target: string): Promise<string> => names(await podsOf(migrate(1), target))[0]!;
      await shop.evict(await podOf(nameOf(1)));
      await shop.kubectl('delete', 'pod', await podOf(nameOf(2)), '--grace-period=0', '--force');
      for (const gate of gates) await gate.release();
      const { code, stdout, stderr } = await done;
      expect(code, stdout + stderr).not.to.equal(0);
    } finally {
      for (const gate of gates) await gate.release();
    }
    const { status } = await shop.ended(migrate(1));
    expect([status.succeeded, status.failed]).to.deep.equal([38, 3]);
    for (const target of FIRST)
      if (!BROKEN.includes(target)) expect(await appliedIn(target), target).to.deep.equal(FILES);
  });

  it('names the failed ones with code and SQLSTATE, although no release has succeeded', async () => {
    await page('kubectl get job shop');
    expect(await page('failedIndexes')).to.equal('7,23\n');
    const table = await page('job=fleet-look-');
    expect(row(table, REFUSED)).to.match(/ACCESS_REFUSED 28P01 password authentication failed/);
    expect(row(table, FAILING)).to.match(/001_create_users MIGRATION_FAILED 42P07$/);
    expect(row(table, nameOf(0))).to.match(/^t-00 +004_pass_gate$/);
    expect(table).to.include('40 targets: 38 up to date, 1 ACCESS_REFUSED, 1 MIGRATION_FAILED');
    const failures = (await shop.events()).filter(({ reason }) => reason === 'MigrationFailed');
    expect(failures.map(({ regarding }) => regarding.name)).to.deep.equal(BROKEN.map(() => migrate(1)));
    expect(failures.map(({ note }) => note.split(':')[0])).to.have.members(BROKEN);
    for (const target of BROKEN) expect(await podsOf(migrate(1), target), target).to.have.length(1);
    const messages = (await page('terminated.message')).split('\n').filter((line) => line !== '');
    const endings = messages.map((message) => JSON.parse(message) as Told);
    for (const [target, code] of [
      [REFUSED, 'ACCESS_REFUSED'],
      [FAILING, 'MIGRATION_FAILED'],
    ])
      expect(endings.find((one) => one.target === target)).to.include({ code });
  });

  it('stops behind a canary that fails: the others do not start', async () => {
    const { code } = await release({ targets: FIRST, canary: [nameOf(0), FAILING] });
    expect(code).not.to.equal(0);
    const canary = await shop.ended('shop-lockstep-migrate-canary-2');
    expect([canary.status.succeeded, canary.status.failed]).to.deep.equal([1, 1]);
    expect(await shop.kubectl('get', 'job', migrate(2), '--ignore-not-found')).to.equal('');
  });

  it('goes round those that are skipped: two more targets are migrated, the others start, skip and end', async () => {
    succeeds(await release({ targets: ALL, skip: BROKEN }));
    const { status } = await shop.ended(migrate(3));
    expect([status.succeeded, status.failed ?? 0]).to.deep.equal([40, 0]);
    succeeds(await shop.helm(['test', 'shop']));
    const counts = new Map<string, number>();
    for (const pod of await shop.podsOfJob(migrate(3))) {
      const { target = '', exit, appliedCount = 0 } = toldBy(pod);
      expect(exit, target).to.equal(0);
      counts.set(target, appliedCount);
    }
    for (const target of ALL) {
      const isNew = !FIRST.includes(target);
      expect(counts.get(target), target).to.equal(BROKEN.includes(target) ? undefined : isNew ? FILES.length : 0);
      if (!BROKEN.includes(target)) expect(await appliedIn(target), target).to.deep.equal(FILES);
    }
  });

  it('is run again for one target alone, once its cause is corrected', async () => {
    await databases.get(FAILING)!.query('DROP TABLE users');
    await page('job=up-', { 'eu-1': FAILING });
    expect(await appliedIn(FAILING)).to.deep.equal(FILES);
  });

  it('is rolled back one target at a time', async () => {
    await page('job=rb-', { 'eu-1': nameOf(5), '007_add_index': '003_add_total' });
    expect(await databases.get(nameOf(5))!.versions()).to.deep.equal(FILES.slice(0, 3));
    expect(await databases.get(nameOf(6))!.versions()).to.deep.equal(FILES);
  });

  it('ends as a whole, at once, for what is the same everywhere: files that are not there', async () => {
    const { code } = await release({ targets: FIRST }, { extraEnv: [{ name: 'LOCKSTEP_DIR', value: '/' }] });
    expect(code).not.to.equal(0);
    const { status } = await shop.ended(migrate(4));
    const failure = status.conditions?.find(({ type }) => type === 'Failed');
    expect(failure?.reason).to.equal('PodFailurePolicy');
    expect(failure?.message).to.match(/failed with exit code 21 matching FailJob rule at index 1$/);
    const pods = await shop.podsOfJob(migrate(4));
    expect(pods.length, 'no more than ran at that time').to.be.at.most(8);
  });

  it('ends what runs where one more target fails than fleet.maxFailedIndexes allows', async () => {
    const [running, last] = [nameOf(5), nameOf(3)];
    const gate = await databases.get(running)!.closeGate();
    try {
      const { code } = await release({ targets: [running, REFUSED, last], parallelism: 2, maxFailedIndexes: 0 });
      expect(code).not.to.equal(0);
    } finally {
      await gate.release();
    }
    const { status } = await shop.ended(migrate(5));
    expect(status.conditions?.find(({ type }) => type === 'Failed')?.reason).to.equal('MaxFailedIndexesExceeded');
    const third = 'batch.kubernetes.io/job-completion-index=2';
    expect(await shop.pods(`batch.kubernetes.io/job-name=${migrate(5)},${third}`), 'never starts').to.deep.equal([]);
    expect(await databases.get(running)!.versions()).to.deep.equal(FILES.slice(0, 3));
  });

  it('is compared with the files target by target, with addresses from a second Secret as big as it may be', async () => {
    const more = await node().postgres.createDatabase();
    const [same, other, last] = [nameOf(0), nameOf(5), 't-42'];
    databases.set(last, more);
    const address = more.address();
    await create(shop, 'Secret', 'more-dbs', { [last]: address, filler: 'x'.repeat(2 ** 20 - address.length) });
    await create(shop, 'ConfigMap', 'catalog', { 'schema.txt': await catalog() });
    const targets = [same, other, last];
    succeeds(
      await release(
        { targets, moreSecretNames: ['more-dbs'] },
        {
          drift: { enabled: true },
          extraEnv: [{ name: 'LOCKSTEP_EXPECT', value: '/catalog/schema.txt' }],
          volumes: [{ name: 'catalog', configMap: { name: 'catalog' } }],
          volumeMounts: [{ name: 'catalog', mountPath: '/catalog' }],
        },
      ),
    );
    expect(await appliedIn(last)).to.deep.equal(FILES);
    expect(await databases.get(other)!.versions(), 'finished').to.deep.equal(FILES);
    await databases.get(other)!.query('ALTER TABLE users ADD COLUMN foreign_to_all int');
    await shop.kubectl('create', 'job', 'drift', '--from=cronjob/shop-lockstep-drift');
    const { status } = await shop.ended('drift');
    expect(status, 'one of them differs').to.include({ completedIndexes: '0,2', failedIndexes: '1' });
  });

  /** What the files make, as `prove --write` keeps it. */
  async function catalog(): Promise<string> {
    const [dir, file] = [join(folder, 'migrations'), join(folder, 'schema.txt')];
    await mkdir(dir);
    for (const [name, text] of Object.entries(RELEASES.slow)) await writeFile(join(dir, name), text);
    const scratch = databases.get(nameOf(0))!.local;
    expectExit(await runCli(['prove', '--dir', dir, '--scratch-url', scratch, '--write', file], { env: {} }), 0);
    return await readFile(file, 'utf8');
  }
});

/** Columns are as wide as their widest value, and times differ. */
function withoutTimes(line: string): string {
  return line
    .replaceAll(/ +/g, ' ')
    .replaceAll(/\b(\d+m)?\d+s\b/g, 'TIME')
    .trimEnd();
}
