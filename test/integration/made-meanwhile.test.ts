/** Tables that another run has created between a run's look at the database and its lock. */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';

import { DedicatedConnections } from '../../src/adapters/postgres/connection/dedicated.ts';
import { PostgresDatabase } from '../../src/adapters/postgres/database.ts';
import { file } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('tables that another run has created meanwhile', () => {
  const workspace = useWorkspace();

  const tables = async (): Promise<unknown> =>
    await workspace().query(
      `SELECT indrelid::regclass::text AS table, pg_get_indexdef(indexrelid) AS text FROM pg_index
        WHERE indrelid IN (to_regclass('schema_migrations'), to_regclass('schema_migrations_journal')) ORDER BY 1, 2`,
    );

  for (const [what, prepare] of Object.entries({
    'both of them': '',
    'the journal of an original table':
      'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
  })) {
    it(`stay as they are: ${what}`, async () => {
      const { url, lockKey } = workspace();
      if (prepare !== '') await workspace().query(prepare);
      await workspace().write(file(1, 'a', 'CREATE TABLE a ();'));
      const { connect } = new DedicatedConnections({ databaseUrl: url, env: {} }, undefined);
      const reporter = new Recorder();
      const place = { connect, allowPooler: false, table: { name: 'schema_migrations' }, role: undefined };
      const session = await new PostgresDatabase({ ...place, lockKey: BigInt(lockKey), reporter }).open(
        { run: randomUUID(), command: 'up', productVersion: '0', name: 'late' },
        new AbortController().signal,
      );
      try {
        await session.check();
        await session.configure();
        await up(workspace());
        const before = await tables();
        expect(before).to.have.length(6);
        expect(await session.lock.tryAcquire()).to.equal(true);
        expect(await session.history.ensureTables()).to.deep.equal([]);
        expect(await tables()).to.deep.equal(before);
        expect((await session.history.read()).applied.map(({ version }) => version)).to.deep.equal(['001_a']);
        expect(reporter.of('server.notice')).to.deep.equal([]);
        await session.lock.release();
      } finally {
        await session.close();
      }
    });
  }
});
