/** Facts about PostgreSQL that the messages rely on: several statements in one message, and what a session keeps. */
import { expect } from 'chai';

import { RESET_STATEMENTS } from '../../src/adapters/postgres/state/settings.ts';
import { eventually } from '../support/bounded.ts';
import { useWorkspace } from '../support/workspace.ts';
import { message, pidOf, sqlstateOf, waitsFor } from '../support/sessions.ts';

describe('PostgreSQL: messages of several statements', () => {
  const workspace = useWorkspace();

  it('CREATE INDEX CONCURRENTLY fails in a message of two statements: the message is a transaction', async () => {
    await workspace().query('CREATE TABLE t (x int)');
    const client = await workspace().client();
    expect(await sqlstateOf(message(client, 'SELECT 1; CREATE INDEX CONCURRENTLY t_x ON t (x)'))).to.equal('25001');
    expect(await sqlstateOf(message(client, 'CREATE INDEX CONCURRENTLY t_x ON t (x);'))).to.equal('ok');
  });

  it('a syntax error anywhere in a message means that none of its statements ran', async () => {
    await workspace().query('CREATE SEQUENCE s');
    const client = await workspace().client();
    expect(
      await sqlstateOf(message(client, `BEGIN; SELECT nextval('s'); CREATE TABLE t (x int); selec 1; COMMIT`)),
    ).to.equal('42601');
    expect(await workspace().query(`SELECT is_called, to_regclass('t') AS t FROM s`)).to.deep.equal([
      { is_called: false, t: null },
    ]);
  });

  it("an error's position counts characters from the start of the message", async () => {
    const client = await workspace().client();
    const sql = `SELECT 'é😀'; SELECT nope`;
    const error = await message(client, sql).catch((thrown: unknown) => thrown as { position: string });
    expect(Number((error as { position: string }).position)).to.equal([...sql].length - 'nope'.length + 1);
  });

  it('a comment at the end of a file comments out what follows on its line', async () => {
    const client = await workspace().client();
    const file = 'SELECT 1 AS x -- done';
    expect(await message(client, `${file}; SELECT 2 AS x`)).to.have.lengthOf(1);
    expect(await message(client, `${file}\n; SELECT 2 AS x`)).to.have.lengthOf(2);
  });

  it('a missing table fails the whole message, after the statements before it were answered', async () => {
    const client = await workspace().client();
    expect(
      await sqlstateOf(message(client, 'BEGIN READ ONLY; SELECT 1; SELECT version FROM schema_migrations; COMMIT')),
    ).to.equal('42P01');
    await client.query('ROLLBACK');
  });

  it('to_jsonb reads a table of any columns, where a column by name fails (42703)', async () => {
    await workspace().query(`CREATE TABLE t AS SELECT '001_a' AS version`);
    expect(
      await workspace().query(
        `SELECT to_jsonb(m)->>'version' AS version, to_jsonb(m)->>'checksum' AS checksum FROM t m`,
      ),
    ).to.deep.equal([{ version: '001_a', checksum: null }]);
    expect(await sqlstateOf(workspace().query('SELECT checksum FROM t'))).to.equal('42703');
  });

  it('the server answers COMMIT of a failed transaction with ROLLBACK, without an error', async () => {
    const client = await workspace().client();
    await sqlstateOf(message(client, 'BEGIN; SELECT 1/0'));
    expect((await client.query('COMMIT')).command).to.equal('ROLLBACK');
  });

  it('the server commits a message with COMMIT although its client has disconnected', async () => {
    await workspace().query('CREATE TABLE t (x int)');
    const gate = await workspace().client();
    await gate.query('BEGIN; LOCK TABLE t');
    const client = await workspace().client();
    const pid = await pidOf(client);
    const sent = sqlstateOf(message(client, 'BEGIN; INSERT INTO t VALUES (1); COMMIT'));
    await waitsFor(workspace(), pid, 'relation');
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    await sent;
    await gate.query('COMMIT');
    await eventually(
      'the row of the client that is gone',
      async () => (await workspace().query('SELECT x FROM t')).length === 1,
    );
  });
});

describe('PostgreSQL: what a session keeps', () => {
  const workspace = useWorkspace();

  /** Each statement leaves something that `leaks` then finds. */
  const LEAVE = `SET search_path TO pg_catalog; SET session_replication_role = replica; SET default_transaction_read_only = on;
    PREPARE p AS SELECT 1; LISTEN c; SET statement_timeout = '1min'; SET lock_timeout = '1min'`;
  const LEAKS = `SELECT (SELECT count(*)::int FROM pg_prepared_statements) AS prepared, (SELECT count(*)::int FROM pg_cursors WHERE name <> '') AS cursors,
    (SELECT count(*)::int FROM pg_listening_channels()) AS channels, to_regclass('pg_temp.shadow') IS NOT NULL AS temporary, current_user = session_user AS self,
    current_setting('session_replication_role') AS replication, current_setting('default_transaction_read_only') AS readonly,
    current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock`;
  const CLEAN = {
    prepared: 0,
    cursors: 0,
    channels: 0,
    temporary: false,
    self: true,
    replication: 'origin',
    readonly: 'off',
    statement: '0',
    lock: '0',
  };

  async function left() {
    const client = await workspace().client();
    expect((await client.query(LEAKS)).rows).to.deep.equal([CLEAN]);
    await client.query(`SELECT pg_advisory_lock(${workspace().lockKey})`);
    await message(client, 'CREATE TEMPORARY TABLE shadow (x int)');
    await message(client, 'BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT');
    await message(client, LEAVE);
    await message(client, 'SET ROLE pg_read_all_data');
    return client;
  }

  it('a reset clears everything that a migration may leave, and keeps the lock', async () => {
    const client = await left();
    const [before] = (await client.query(LEAKS)).rows;
    for (const [name, value] of Object.entries(CLEAN)) expect(before, name).to.not.have.property(name, value);
    await message(client, ['BEGIN', ...RESET_STATEMENTS, 'COMMIT'].join(';\n'));
    expect((await client.query(LEAKS)).rows).to.deep.equal([CLEAN]);
    expect(await workspace().lockSessions()).to.have.lengthOf(1);
  });

  for (const sql of ['DISCARD ALL', 'SELECT pg_advisory_unlock_all()']) {
    it(`${sql} also frees the lock`, async () => {
      const client = await left();
      await client.query(sql);
      expect(await workspace().lockSessions()).to.deep.equal([]);
    });
  }

  it('resetting default_transaction_read_only inside a transaction does not make that transaction writable', async () => {
    const client = await workspace().client();
    await client.query('CREATE TABLE t (x int); SET default_transaction_read_only = on');
    expect(await sqlstateOf(message(client, 'BEGIN; RESET ALL; INSERT INTO t VALUES (1); COMMIT'))).to.equal('25006');
    await client.query('ROLLBACK; SET default_transaction_read_only = on');
    expect(await sqlstateOf(message(client, 'BEGIN READ WRITE; RESET ALL; INSERT INTO t VALUES (1); COMMIT'))).to.equal(
      'ok',
    );
  });
});
