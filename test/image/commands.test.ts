/** Every command, in the most restricted container. */
import { chown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import type { CommandName } from '../../src/core/runner.ts';
import { FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../support/migrations.ts';
import { useLockstepImage, useSharedWorkspace, type ContainerResult } from './support/lockstep-image.ts';

describe('the image', () => {
  const image = useLockstepImage();
  const workspace = useSharedWorkspace();

  async function run(...args: readonly string[]): Promise<ContainerResult> {
    return await image().runIn(workspace(), args);
  }

  async function expectRun(args: readonly string[], code = 0): Promise<ContainerResult> {
    const result = await run(...args);
    expect(result.code, `${args.join(' ')}: ${result.stdout}${result.stderr}`).to.equal(code);
    return result;
  }

  const COMMANDS: Readonly<Record<CommandName, () => Promise<void>>> = {
    async up() {
      const first = await expectRun(['up']);
      expect(first.stdout).to.equal(
        `${versionsOf(FIVE_FILES)
          .map((version) => `  up ${version}\n`)
          .join('')}Done.\n`,
      );
      expect(first.logs.map(({ event }) => event)).to.include('lock.acquired');
      expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
      const second = await expectRun(['up']);
      expect(second.stdout).to.include('skip 5 migrations (already applied)');
      expect(second.logs.map(({ event }) => event)).not.to.include('lock.acquired');
    },
    async down() {
      await expectRun(['up']);
      expect((await expectRun(['down', '--steps', '1'])).stdout).to.include('  down 005_order_notes');
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES).slice(0, -1));
    },
    async wait() {
      await expectRun(['wait', '--timeout', '0'], 33);
      await expectRun(['up']);
      await expectRun(['wait', '--timeout', '0']);
    },
    async status() {
      const { stdout } = await expectRun(['status', '--exit-code', '--json'], 33);
      const { migrations } = JSON.parse(stdout) as { migrations: { version: string }[] };
      expect(migrations.map(({ version }) => version)).to.deep.equal(versionsOf(FIVE_FILES));
    },
    async history() {
      await expectRun(['up']);
      const { stdout } = await expectRun(['history', '--json']);
      expect(JSON.stringify(JSON.parse(stdout))).to.include('005_order_notes');
    },
    async drift() {
      await expectRun(['drift'], 20);
    },
    async prove() {
      await expectRun(['prove'], 20);
    },
    async validate() {
      const { code, stderr } = await image().run(['validate'], {
        more: [`--volume=${workspace().dir}:/migrations:ro`],
      });
      expect(code, stderr).to.equal(0);
    },
    async baseline() {
      await expectRun(['baseline', '--to', '003_first_orders']);
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES).slice(0, 3));
    },
    async import() {
      await workspace().query(
        'CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp DEFAULT now())',
      );
      await workspace().query(
        'INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true)',
      );
      await expectRun(['import', '--from', 'goose']);
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES).slice(0, 2));
    },
    async repair() {
      await expectRun(['up']);
      await workspace().write({ '004_bonus.up.sql': `${FIVE_FILES['004_bonus.up.sql']}\n-- a remark\n` });
      expect((await expectRun(['repair'])).stdout).to.include('repair 004_bonus');
    },
    async lock() {
      expect((await expectRun(['lock'])).stdout).to.include(workspace().lockKey);
    },
    async fleet() {
      const { stdout } = await expectRun(
        ['fleet', 'status', '--targets-dir=/', '--targets=nowhere', '--connect-wait=0'],
        30,
      );
      expect(stdout).to.include('nowhere').and.to.include('1 target: 1 DATABASE_UNAVAILABLE');
    },
    async create() {
      const dir = join(workspace().dir, 'new');
      await mkdir(dir);
      await chown(dir, 65_532, 65_532);
      const { code, stderr } = await image().run(['create', 'add_index'], { more: [`--volume=${dir}:/migrations`] });
      expect(code, stderr).to.equal(0);
      expect(await readdir(dir)).to.deep.equal(['001_add_index.down.sql', '001_add_index.up.sql']);
    },
  };

  for (const [command, prove] of Object.entries(COMMANDS)) {
    it(`has ${command}`, async () => {
      await workspace().write(FIVE_FILES);
      await prove();
    });
  }

  it('makes one of several containers migrate, and the others skip', async () => {
    await workspace().write(FIVE_FILES);
    const results = await Promise.all([1, 2, 3].map(() => run('up', '--verbose')));
    expect(
      results.map(({ code }) => code),
      results.map(({ stderr }) => stderr).join(''),
    ).to.deep.equal([0, 0, 0]);
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    expect(results.filter(({ stdout }) => stdout.includes('  up 001_accounts'))).to.have.length(1);
  });
});

describe("the image's exit code is the command's:", () => {
  const image = useLockstepImage();
  const workspace = useSharedWorkspace();

  it('20 for an unknown flag, as JSON', async () => {
    const { code, logs } = await image().runIn(workspace(), ['up', '--lock-weight']);
    expect(code).to.equal(20);
    expect(logs.at(-1)).to.include({ event: 'run.failed', level: 'error' });
  });

  it('20 without a command', async () => {
    expect((await image().run([])).code).to.equal(20);
  });

  it('21 when no directory is mounted', async () => {
    const { code, stderr } = await image().run(['validate']);
    expect(code).to.equal(21);
    expect(stderr).to.include('there are no migration files in /migrations');
  });

  it('30 when the server does not exist', async () => {
    await workspace().write(FIVE_FILES);
    const { code } = await image().runIn(workspace(), ['up', '--connect-wait', '0'], {
      env: { DATABASE_URL: 'postgresql://app@127.0.0.1:1/app' },
    });
    expect(code).to.equal(30);
  });

  it('40 for SQL that fails', async () => {
    await workspace().write({ '001_bad.up.sql': 'CREATE TABLE a (id inte);' });
    const { code, logs } = await image().runIn(workspace(), ['up']);
    expect(code).to.equal(40);
    expect(logs.at(-1)).to.deep.include({ event: 'run.failed' });
  });
});
