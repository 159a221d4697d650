/**
 * An import that is cut off or killed at each of its messages takes over the history completely or not at all; the next
 * one completes it.
 */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { runCli, startCli } from '../support/cli.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { WireProxy, type ProxyRule } from '../support/wire-proxy.ts';

const APPLIED = versionsOf(FIVE_FILES).slice(0, 3);

/** The possible results of a struck import: done, unavailable, unknown. */
const EXITS = [0, 30, 34];

describe('an import', function () {
  this.timeout(600_000);
  const workspace = useWorkspace();
  let proxy: WireProxy;

  beforeEach(async () => {
    await workspace().write(FIVE_FILES);
    proxy = await WireProxy.start(workspace().url);
    workspace().defer(() => proxy.stop());
  });

  async function makeTable(): Promise<void> {
    await workspace().query('DROP TABLE IF EXISTS schema_migrations, schema_migrations_journal, schema_migrations_old');
    await workspace().query('CREATE TABLE schema_migrations (version varchar PRIMARY KEY)');
    await workspace().query(`INSERT INTO schema_migrations VALUES ('001'), ('002'), ('003')`);
  }

  const tables = async (): Promise<string[]> =>
    (
      await workspace().query<{ name: string }>(
        `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = $1::regnamespace ORDER BY 1`,
        [workspace().schema],
      )
    ).map(({ name }) => name);

  async function expectWholeOrNot(round: string): Promise<void> {
    // A statement that is running on the server when its client dies may still complete.
    await eventually(`${round}: the session to be gone`, async () => (await workspace().lockSessions()).length === 0);
    const found = await tables();
    const rows = await workspace().versions();
    if (found.length === 1)
      expect({ found, rows }, round).to.deep.equal({ found: ['schema_migrations'], rows: ['001', '002', '003'] });
    else
      expect({ found, rows }, round).to.deep.equal({
        found: ['schema_migrations', 'schema_migrations_journal', 'schema_migrations_old'],
        rows: APPLIED,
      });
  }

  async function expectNextDoesIt(round: string): Promise<void> {
    const { code, stderr } = await runCli(['import', '--from', 'dbmate'], workspace());
    expect(code, `${round}: ${stderr}`).to.equal(0);
    expect(await tables(), round).to.have.lengthOf(3);
    expect(await workspace().versions(), round).to.deep.equal(APPLIED);
    expect(await workspace().journalCounts('baselined'), round).to.deep.equal(
      Object.fromEntries(APPLIED.map((version) => [version, 1])),
    );
  }

  it('gives up after five seconds when another session locks the table, and changes nothing', async () => {
    await makeTable();
    const other = await workspace().client();
    await other.query('BEGIN; LOCK TABLE schema_migrations IN ROW EXCLUSIVE MODE');
    const { code, stderr } = await runCli(['import', '--from', 'dbmate'], workspace());
    expect(code, stderr).to.equal(32);
    expect(stderr).to.include('lock timeout').and.include('stop that');
    await other.query('ROLLBACK');
    await expectWholeOrNot('given up');
    await expectNextDoesIt('given up');
  });

  /** The number of messages that an import sends after login. */
  async function countMessages(): Promise<number> {
    await makeTable();
    const before = proxy.queries.length;
    const { code, stderr } = await startCli(['import', '--from', 'dbmate'], {
      env: { ...workspace().env, DATABASE_URL: proxy.url },
    }).exited;
    expect(code, stderr).to.equal(0);
    const count = proxy.queries.length - before;
    expect(count).to.be.greaterThan(10);
    return count;
  }

  const STRIKES: Readonly<Record<string, { readonly rule: ReturnType<ProxyRule>; readonly kills: boolean }>> = {
    'cut before': { rule: 'cut', kills: false },
    'cut after': { rule: 'cut-after', kills: false },
    'killed at': { rule: 'pass', kills: true },
  };

  for (const [what, { rule, kills }] of Object.entries(STRIKES)) {
    it(`that is ${what} each of its messages is completed by the next one`, async () => {
      const count = await countMessages();
      for (let at = 1; at <= count; at += 1) {
        const round = `${what} message ${at} of ${count}`;
        await makeTable();
        const before = proxy.queries.length;
        let struck = false;
        proxy.rule = () => {
          if (struck || proxy.queries.length - before !== at) return 'pass';
          struck = true;
          if (kills) job.kill('SIGKILL');
          return rule;
        };
        const job = startCli(['import', '--from', 'dbmate', '--connect-wait', '0'], {
          env: { ...workspace().env, DATABASE_URL: proxy.url },
        });
        const { code, signal, stderr } = await job.exited;
        proxy.rule = () => 'pass';
        expect(signal ?? code, `${round}: ${stderr}`).to.be.oneOf(kills ? ['SIGKILL', 0] : EXITS);
        await expectWholeOrNot(round);
        await expectNextDoesIt(round);
      }
    });
  }
});
