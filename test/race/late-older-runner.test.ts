/** Another tool's runner that restarts each time it is cancelled, as a crash-looping pod does. */
import pg from 'pg';
import { expect } from 'chai';
import { runMigrations } from '../../src/index.ts';
import { closeGate } from '../support/gate.ts';
import { file } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('an older runner that restarts at once', () => {
  const workspace = useWorkspace();
  it('does not delay the end of a build for longer than deadlock_timeout', async function () {
    this.timeout(200_000);
    const gate = await closeGate(workspace());
    await workspace().write({
      ...file(
        1,
        'events',
        `CREATE TABLE events (id int);
INSERT INTO events SELECT generate_series(1, 20);
CREATE FUNCTION slowly(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.15); RETURN $1; END';`,
      ),
      ...file(2, 'gate', gate.sql),
      ...file(3, 'events_kind', 'CREATE INDEX CONCURRENTLY events_kind ON events (slowly(id));'),
    });
    const { url: connectionString, serverUrl, lockKey, dir } = workspace();
    const run = runMigrations({ connectionString, lockKey, dir, direction: 'up' });
    run.catch(() => undefined);
    await gate.arrived();
    const ended = new AbortController();
    const older = (async () => {
      while (!ended.signal.aborted) {
        const client = new pg.Client(serverUrl);
        client.on('error', () => undefined);
        await client.connect();
        await client.query('SELECT pg_advisory_lock($1::bigint)', [lockKey]).catch(() => undefined);
        await client.end();
      }
    })();
    await gate.open();
    const outcome = await run.finally(() => {
      ended.abort();
    });
    await older;
    expect(outcome.done).to.have.lengthOf(3);
  });
});
