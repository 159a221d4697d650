/** Who shares the work of a run over many schemas, and who is kept out meanwhile? */
import { expect } from 'chai';

import { expectExit } from '../support/cli.ts';
import { blockOnKey, holdKey } from '../support/holder.ts';
import { CONSTANT_KEY, useTenants } from '../support/tenants.ts';

describe('runs over many schemas', () => {
  const tenants = useTenants();

  it('are shared by four runs: each applied once, and a killed run is no loss', async () => {
    const names = await tenants().makeMany(60);
    const runs = Array.from({ length: 4 }, () =>
      tenants().start(['up', '--schemas', 't*'], { LOCKSTEP_LOG_FORMAT: 'json' }),
    );
    await runs[0]!.waitForLog((line) => line.event === 'tenant.done');
    runs[0]!.kill('SIGKILL');
    const results = await Promise.all(runs.map(({ exited }) => exited));
    for (const result of results.slice(1)) expectExit(result, 0);
    expect(await tenants().appliedTimes(names)).to.deep.equal(names.map(() => ({ '001_users': 1, '002_orders': 1 })));
    const done = results.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line.includes(': up ')));
    expect(new Set(done).size, 'no schema is done twice').to.equal(done.length);
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
