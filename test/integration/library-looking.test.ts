/** `status`, `pending` and `validate`: what they find, and that they write nothing. */
import { expect } from 'chai';

import { pending, runMigrations, status, validate, type StatusOptions } from '../../src/index.ts';
import { FIVE_FILES, file, versionsOf } from '../support/migrations.ts';
import { down, failure, proxyOf, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

const VERSIONS = versionsOf(FIVE_FILES);

describe('status and pending', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  const options = (): StatusOptions => {
    const { url: connectionString, dir, lockKey } = workspace();
    return { connectionString, dir, lockKey };
  };

  it('report the state of every version, from an empty database to an up-to-date one', async () => {
    expect(await pending(options())).to.deep.equal(VERSIONS);
    expect(await workspace().query(`SELECT to_regclass('schema_migrations') AS found`)).to.deep.equal([
      { found: null },
    ]);
    await up(workspace(), { to: '002_orders' });
    const { upToDate, migrations } = await status(options());
    expect(upToDate).to.equal(false);
    expect(migrations.map(({ version, state }) => [version, state])).to.deep.equal(
      VERSIONS.map((version, index) => [version, index < 2 ? 'applied' : 'pending']),
    );
    expect(Date.parse(migrations[0]?.appliedAt ?? '')).to.be.a('number').and.not.NaN;
    expect(await pending(options())).to.deep.equal(VERSIONS.slice(2));
    await up(workspace());
    expect(await status(options())).to.deep.include({ upToDate: true });
    expect(await pending(options())).to.deep.equal([]);
  });

  it('name who holds a version, and count it as pending', async () => {
    await up(workspace(), { release: 'shop/1@1' });
    await down(workspace(), { steps: 1, release: 'shop/2@2', reason: 'too slow' });
    const { migrations } = await status(options());
    expect(migrations.at(-1)).to.deep.include({ state: 'held' });
    expect(migrations.at(-1)?.hold).to.include({ release: 'shop/2@2', reason: 'too slow' });
    expect(await pending(options())).to.deep.equal(VERSIONS.slice(-1));
  });

  it("use a caller's pool or client, and leave it as it was", async () => {
    await up(workspace());
    const { dir, lockKey } = workspace();
    const pool = workspace().pool({ max: 1 });
    const pid = async (): Promise<unknown> => (await pool.query('SELECT pg_backend_pid() AS pid')).rows;
    const before = await pid();
    for (const place of [{ pool }, { connection: await workspace().client() }])
      expect(await pending({ ...place, dir, lockKey })).to.deep.equal([]);
    expect(await pid()).to.deep.equal(before);
  });

  it('refuse unknown options before any connection is made', async () => {
    const proxy = await proxyOf(workspace());
    for (const look of [status, pending]) {
      const wrong = { ...options(), connectionString: proxy.url, tabel: 'x', direction: 'up', table: '.' };
      const { message, details } = await failure('CONFIG_INVALID', look(wrong as never));
      expect(message).to.include(`${look.name}: 3 options are wrong`).and.include('did you mean table?');
      expect(details.problems).to.have.length(3);
    }
    expect(proxy.messages).to.deep.equal([]);
  });
});

describe('validate', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  it('connects to no database, and reports file, line and column of each problem', async () => {
    const { dir } = workspace();
    const first = await validate({ dir });
    expect(first).to.include({ valid: true, migrations: 5 });
    expect(first.findings.map(({ file, severity, rule }) => `${file} ${severity} ${rule}`)).to.deep.equal([
      '004_bonus.up.sql warning update-all-rows',
      '004_bonus.down.sql warning update-all-rows',
    ]);
    await workspace().write(file(6, 'wrong', 'SELECT 1;\nSELEC 2;'));
    const { valid, findings } = await validate({ dir });
    expect(valid).to.equal(false);
    expect(findings.find(({ severity }) => severity === 'error')).to.include({ line: 2, column: 1 });
  });

  it('treats warnings as errors when it is strict', async () => {
    await workspace().write({ '007_i.up.sql': 'CREATE INDEX on_id ON accounts (id);', '007_j.up.sql': 'SELECT 1;' });
    const { dir } = workspace();
    expect(await validate({ dir })).to.include({ valid: true });
    expect(await validate({ dir, strict: true })).to.include({ valid: false });
  });

  it('refuses unknown options, and a directory without migrations', async () => {
    const { dir } = workspace();
    const { message } = await failure('CONFIG_INVALID', validate({ dir, strickt: true } as never));
    expect(message).to.include('did you mean strict?');
    for (const look of [runMigrations, status, pending, validate])
      await failure('CONFIG_INVALID', look(undefined as never));
    const { hint } = await failure('MIGRATIONS_INVALID', validate({ dir: `${dir}/nowhere` }));
    expect(hint).to.match(/^check dir, .*allowEmpty/);
    expect(await validate({ files: [], allowEmpty: true })).to.include({ valid: true, migrations: 0 });
  });
});
