/** `lockstep lock` shows the holder and the waiters and ends the holder; `lockstep wait` needs few privileges. */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { runCli, startCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { blockOnKey, holdKey } from '../support/holder.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { documentOf } from '../support/json-documents.ts';
import { createRole } from '../support/roles.ts';
import { up } from '../support/running.ts';
import { pidOf } from '../support/sessions.ts';

describe('lockstep lock', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  it('shows what the holder runs and since when, and every waiter', async () => {
    await up(workspace());
    const gate = await closeGate(workspace());
    await workspace().write({ '006_slow.up.sql': gate.sql, '006_slow.down.sql': 'SELECT 1;' });
    const holder = startCli(['up', '--pod', 'shop-1'], workspace());
    await gate.arrived();
    const waiter = startCli(['down', '--to', '005_order_notes', '--pod', 'shop-2'], workspace());
    await waiter.waitForLog('lock.waiting');
    const older = await blockOnKey(workspace().serverUrl, workspace().lockKey, 'older runner');
    workspace().defer(() => older.close());

    const looking = async (): Promise<Record<string, unknown>> =>
      documentOf('lock', await runCli(['lock', '--json'], workspace()));
    const report = await eventually('both waiters to be seen', async () => {
      const found = await looking();
      return (found['waiters'] as unknown[]).length === 2 && found;
    });
    expect(report['holder']).to.include({ doing: 'up 006_slow' });
    const { applicationName, since } = report['holder'] as { applicationName: string; since: string };
    expect(applicationName).to.match(/^lockstep up \S+ shop-1$/);
    expect(Date.now() - Date.parse(since)).to.be.within(0, 60_000);
    const waiters = report['waiters'] as { applicationName: string; blocked: boolean }[];
    expect(
      waiters.map(({ applicationName, blocked }) => [applicationName.split(' ').at(-1), blocked]),
    ).to.have.deep.members([
      ['shop-2', false],
      ['runner', true],
    ]);

    const { stdout } = await runCli(['lock'], workspace());
    expect(stdout)
      .to.include('shop-1')
      .and.include('up 006_slow')
      .and.include('shop-2')
      .and.include('blocked inside PostgreSQL');
    await older.close();
    await gate.open();
    expect((await holder.exited).code).to.equal(0);
    expect((await waiter.exited).stdout).to.equal('  down 006_slow\nDone.\n');
  });

  it('--terminate ends the holder, and the next runner continues', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({ '002_orders.up.sql': `${FIVE_FILES['002_orders.up.sql']}\n${gate.sql}` });
    const holder = startCli(['up'], workspace());
    await gate.arrived();
    const { code, stdout } = await runCli(['lock', '--terminate'], workspace());
    expect(code, stdout).to.equal(0);
    expect(stdout).to.include("terminated the holder's session");
    expect((await holder.exited).code).to.be.oneOf([30, 34]);
    await gate.open();
    expect(await workspace().versions()).to.deep.equal(['001_accounts']);
    const next = await runCli(['up'], workspace());
    expect(next.code, next.stderr).to.equal(0);
    expect(next.logs.filter(({ event }) => event === 'run.lost')).to.have.lengthOf(1);
    expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
  });

  it('--terminate without a holder ends no session', async () => {
    const { code, stdout } = await runCli(['lock', '--terminate'], workspace());
    expect(code).to.equal(0);
    expect(stdout).to.include('nobody holds it').and.not.include('terminated the holder');
  });

  it('names the session that holds the lock in shared mode, which blocks runners too', async () => {
    const sharer = await holdKey(workspace().serverUrl, workspace().lockKey, 'sharer', 'shared');
    workspace().defer(() => sharer.release());
    const { code, stderr } = await runCli(['up', '--lock-wait', '1500ms'], workspace());
    expect(code, stderr).to.equal(31);
    expect(stderr).to.match(new RegExp(`held by .*sharer.* \\(pid ${sharer.pid}, in shared mode\\)`));
    expect((await runCli(['lock', '--terminate'], workspace())).stdout)
      .to.include('"sharer"')
      .and.include('terminated the holder');
    expect((await runCli(['up'], workspace())).code).to.equal(0);
  });

  /** Sessions with various names, idle or in a transaction. */
  const SHARERS: Readonly<Record<string, { readonly name: string; readonly begin?: string }>> = {
    psql: { name: 'psql' },
    'a session without a name': { name: '' },
    'a runner, idle': { name: 'lockstep up 0.1.0 x' },
    'a runner, in a transaction': { name: 'lockstep up 0.1.0 x', begin: 'BEGIN' },
    'a runner, in a transaction that holds the key until its end': {
      name: 'lockstep wait 0.1.0 x',
      begin: 'BEGIN; SELECT pg_advisory_xact_lock_shared(KEY)',
    },
  };
  for (const [what, { name, begin = '' }] of Object.entries(SHARERS)) {
    it(`names and ends a session that holds the lock in shared mode: ${what}`, async () => {
      const sharer = await workspace().client({ application_name: name });
      const key = workspace().lockKey;
      const pid = await pidOf(sharer);
      if (!begin.includes('KEY')) await sharer.query(`SELECT pg_advisory_lock_shared(${key})`);
      await sharer.query(begin.replace('KEY', key));
      const shown = name === '' ? 'a session without a name' : `"${name}"`;
      const report = documentOf('lock', await runCli(['lock', '--json'], workspace()));
      expect(report['holder']).to.include({ pid, applicationName: name });
      expect((await runCli(['lock'], workspace())).stdout).to.include(`held by ${shown} (pid ${pid}, in shared mode)`);
      const { code, stderr } = await runCli(['up', '--lock-wait', '1s', '--log-format', 'text'], workspace());
      expect(code, stderr).to.equal(31);
      expect(stderr).to.include(`held by ${shown} (pid ${pid}, in shared mode)`);
      expect((await runCli(['lock', '--terminate'], workspace())).stdout).to.include('terminated the holder');
      expect((await runCli(['up'], workspace())).code).to.equal(0);
    });
  }

  it('does not block runs with nothing pending when it is held in shared mode', async () => {
    await up(workspace());
    const sharer = await holdKey(workspace().serverUrl, workspace().lockKey, 'sharer', 'shared');
    workspace().defer(() => sharer.release());
    for (const args of [
      ['up', '--lock-wait', '0'],
      ['wait', '--timeout', '10s'],
      ['status', '--exit-code'],
    ]) {
      const { code, stderr } = await runCli(args, workspace());
      expect(code, `${args[0]}: ${stderr}`).to.equal(0);
    }
  });

  it('shows the holder that LOCK_TIMEOUT (exit 31) names too', async () => {
    const holder = await holdKey(workspace().serverUrl, workspace().lockKey, 'somebody else');
    workspace().defer(() => holder.release());
    for (const args of [['up'], ['down', '--steps', '1'], ['baseline', '--to', '001_accounts']]) {
      const { code, stderr } = await runCli([...args, '--lock-wait', '0'], workspace());
      expect(code, args.join(' ')).to.equal(31);
      expect(stderr).to.include('LOCK_TIMEOUT').and.include('somebody else').and.include(`pid ${holder.pid}`);
    }
  });
});

describe('lockstep wait', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  it('needs only SELECT, and returns once the last version is applied', async () => {
    await up(workspace(), { to: '001_accounts' });
    const reader = await createRole(workspace(), { grant: 'USAGE' });
    await workspace().query(`GRANT SELECT ON schema_migrations TO ${reader.name}`);
    const env = { ...workspace().env, DATABASE_URL: reader.url };
    const waiting = startCli(['wait'], { env });
    const line = await waiting.waitForLog('wait.pending');
    expect(line).to.deep.include({ pending: versionsOf(FIVE_FILES).slice(1) });
    await up(workspace());
    expect((await waiting.exited).code).to.equal(0);
    expect((await runCli(['status', '--exit-code'], { env })).code).to.equal(0);
  });

  it('waits for a table that does not exist yet', async () => {
    const waiting = startCli(['wait'], workspace());
    await waiting.waitForLog('wait.pending');
    await up(workspace());
    expect((await waiting.exited).code).to.equal(0);
  });

  it('does not return during a rollback, even while nothing is pending yet', async () => {
    await up(workspace());
    const gate = await closeGate(workspace());
    await workspace().write({ '005_order_notes.down.sql': `${gate.sql}\n${FIVE_FILES['005_order_notes.down.sql']}` });
    const rollback = startCli(['down', '--steps', '1', '--from', 'files'], workspace());
    await gate.arrived();
    const waiting = startCli(['wait'], workspace());
    const { text } = await waiting.waitForLog('wait.pending');
    expect(text).to.include('waiting until').and.include('lockstep down');
    await gate.open();
    expect((await rollback.exited).code).to.equal(0);
    await waiting.waitForLog(
      (line) => line.event === 'wait.pending' && String(line['text']).includes('005_order_notes'),
    );
    await up(workspace());
    expect((await waiting.exited).code).to.equal(0);
  });
});
