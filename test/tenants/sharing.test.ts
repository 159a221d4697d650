/** Who shares the work of a run over many schemas, and who is kept out meanwhile? */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { expectExit } from '../support/cli.ts';
import { blockOnKey, holdKey } from '../support/holder.ts';
import { CONSTANT_KEY, entriesOf, useTenants } from '../support/tenants.ts';

describe('runs over many schemas', () => {
  const tenants = useTenants();

  it('share what is pending in all; others wait, a killed run is no loss, and one schema that fails stops none', async function () {
    this.timeout(180_000);
    const names = await tenants().makeMany(200);
    const [broken = '', ...rest] = names;
    await tenants().query(`CREATE TABLE ${broken}.orders ()`);
    const runs = Array.from({ length: 4 }, () =>
      tenants().start(['up', '--schemas', 't*'], { LOCKSTEP_LOG_FORMAT: 'json' }),
    );
    await Promise.all(runs.map((run) => run.waitForLog('lock.acquired')));
    const older = await blockOnKey(tenants().url, CONSTANT_KEY);
    const alone = tenants().start(['up'], { LOCKSTEP_LOG_FORMAT: 'json' });
    await alone.waitForLog('lock.waiting');
    await runs[0]?.waitForLog((line) => line.event === 'tenant.done');
    runs[0]?.kill('SIGKILL');
    const results = await Promise.all(runs.map(({ exited }) => exited));
    for (const result of results.slice(1)) expect(result.code, result.stderr).to.equal(40);
    expect(await older.ended).to.equal('acquired');
    await older.close();
    expectExit(await alone.exited, 0);
    expect(await tenants().appliedTimes(rest)).to.deep.equal(rest.map(() => ({ '001_users': 1, '002_orders': 1 })));
    expect(await tenants().appliedTimes([broken])).to.deep.equal([{ '001_users': 1 }]);
    const done = results.flatMap(({ stdout }) => stdout.split('\n').filter((line) => /: up /.test(line)));
    expect(new Set(done).size, 'no schema is done twice').to.equal(done.length);
    const [times] = await tenants().query<{ lastOfAll: Date; first: Date }>(
      `SELECT min(at) AS first, (SELECT max(at) FROM t0200.schema_migrations_journal) AS "lastOfAll" FROM public.schema_migrations_journal`,
    );
    expect(times?.first, 'the plain run came last').to.be.greaterThan(times?.lastOfAll ?? new Date());
  });

  it('are finished by the next when all were killed', async () => {
    const names = await tenants().makeMany(60);
    const runs = Array.from({ length: 2 }, () =>
      tenants().start(['up', '--schemas', 't*', '--schemas-parallel', '2'], { LOCKSTEP_LOG_FORMAT: 'json' }),
    );
    await Promise.all(runs.map((run) => run.waitForLog((line) => line.event === 'tenant.done')));
    for (const run of runs) run.kill('SIGKILL');
    await Promise.all(runs.map(({ exited }) => exited));
    expectExit(await tenants().run(['up', '--schemas', 't*']), 0);
    expect(await tenants().appliedTimes(names)).to.deep.equal(names.map(() => ({ '001_users': 1, '002_orders': 1 })));
  });

  it('use as many sessions as --schemas-parallel says', async () => {
    await tenants().make('a', 'b', 'c', 'd');
    await tenants().workspace.write({ '003_wait.up.sql': 'SELECT pg_advisory_xact_lock_shared(42);' });
    const holder = await holdKey(tenants().url, '42');
    const running = tenants().start(['up', '--schemas', '?', '--schemas-parallel', '3'], {
      LOCKSTEP_LOG_FORMAT: 'json',
    });
    await eventually('three sessions to work', async () => {
      const [row] = await tenants().query<{ count: number }>(
        `SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()`,
      );
      return row?.count === 3;
    });
    await holder.release();
    expectExit(await running.exited, 0);
  });

  it('try once more at the end what may pass by itself', async () => {
    await tenants().make('a', 'b');
    await tenants().workspace.write({
      '003_hook.up.sql': 'SELECT 1;',
      // It passes from its second call in a schema on, and is told that of `a` before.
      '003_hook.before.mjs': `export default async ({ pool }) => {
        const { rows } = await pool.query('INSERT INTO calls DEFAULT VALUES RETURNING (SELECT count(*) FROM calls) AS before');
        if (rows[0].before === '0') throw new Error('not yet');
      };`,
    });
    await tenants().query('CREATE TABLE a.calls (at timestamptz); INSERT INTO a.calls VALUES (now())');
    await tenants().query('CREATE TABLE b.calls (at timestamptz)');
    const running = tenants().start(['up', '--schemas', '?', '--fail-fast'], { LOCKSTEP_LOG_FORMAT: 'json' });
    const line = await running.waitForLog('tenant.failed');
    expect(line).to.include({ schema: 'b', again: true });
    expectExit(await running.exited, 0);
    await tenants().query('DELETE FROM b.calls; CREATE RULE never AS ON INSERT TO b.calls DO ALSO DELETE FROM b.calls');
    await tenants().workspace.write({
      '004_hook.up.sql': 'SELECT 1;',
      '004_hook.before.mjs': `export { default } from './003_hook.before.mjs';`,
    });
    const twice = await tenants().run(['up', '--schemas', '?', '--json']);
    expect(twice.code, twice.stderr).to.equal(35);
    expect(entriesOf(twice).map(({ schema, exit }) => [schema, exit])).to.deep.equal([
      ['a', 0],
      ['b', 35],
    ]);
  });

  it('keep runs in one schema alone, and the original Go runner, out meanwhile', async () => {
    await tenants().make('a', 'b');
    await tenants().workspace.write({ '003_wait.up.sql': 'SELECT pg_sleep(60);' });
    const running = tenants().start(['up', '--schemas', '?']);
    await running.waitForLog((line) => line.event === 'migration.started' && line['version'] === '003_wait');
    const alone = await tenants().run(['up', '--table', 'a.schema_migrations', '--lock-wait', '1s']);
    expect(alone.code, alone.stderr).to.equal(31);
    const older = await blockOnKey(tenants().url, CONSTANT_KEY);
    running.kill('SIGTERM');
    const ended = await running.exited;
    expect(ended.code, ended.stderr).to.equal(143);
    expect(await older.ended).to.equal('acquired');
    await older.close();
  });

  it('wait for a run in one schema alone, and name it when the time is up', async () => {
    await tenants().make('a', 'b');
    const holder = await holdKey(tenants().url, CONSTANT_KEY, 'the original runner');
    const late = await tenants().run(['up', '--schemas', '?', '--lock-wait', '1s']);
    expect(late.code).to.equal(31);
    expect(late.stderr).to.include('the original runner');
    const patient = tenants().start(['up', '--schemas', '?']);
    await patient.waitForLog('lock.waiting');
    await holder.release();
    expectExit(await patient.exited, 0);
  });
});
