/** A holder with a slow hook keeps its session, and with it the lock, from being terminated as idle. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { expectExit, startCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';

/** The server terminates a session that is idle for this long. */
const IDLE_LIMIT_MS = 60_000;

describe('a heartbeat', () => {
  const workspace = useWorkspace();

  /** The last message of the session that holds the lock, and the time since the previous one. */
  async function lastMessage(): Promise<{ query: string; at: Date }> {
    const [row] = await workspace().query<{ query: string; at: Date }>(
      `SELECT query, state_change AS at FROM pg_stat_activity WHERE pid = $1 AND state = 'idle'`,
      [(await workspace().lockSessions())[0]?.pid],
    );
    return row ?? { query: '', at: new Date(0) };
  }

  const nextAfter = (before: Date): Promise<Date> =>
    eventually('the next heartbeat', async () => {
      const { query, at } = await lastMessage();
      return query === 'SELECT 1' && at > before && at;
    });

  // The hook keeps its thread busy, so that the heartbeat must not depend on that thread.
  it('is sent well before the server would end the idle session, even while a hook keeps its thread busy', async function () {
    this.timeout(120_000);
    const done = join(workspace().dir, 'done');
    await workspace().write({
      ...file(1, 'hooked', 'CREATE TABLE hooked ();'),
      '001_hooked.before.mjs': `import { existsSync } from 'node:fs';
export default ({ log }) => { log('busy'); while (!existsSync(${JSON.stringify(done)})); };`,
    });
    const run = startCli(['up'], { env: workspace().env, timeoutMs: 100_000 });
    await run.waitForLog('hook.log');
    const beats = [(await lastMessage()).at];
    for (let beat = 1; beat <= 2; beat += 1) beats.push(await nextAfter(beats.at(-1)!));
    await writeFile(done, '');
    expectExit(await run.exited, 0);
    for (const [index, beat] of beats.slice(1).entries())
      expect(beat.getTime() - beats[index]!.getTime()).to.be.lessThan(IDLE_LIMIT_MS / 2);
    expect(await workspace().versions()).to.deep.equal(['001_hooked']);
  });
});
