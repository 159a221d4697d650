/** The settings of a migration's session, as the migration sees them; and a server that refuses some of them. */
import { expect } from 'chai';
import pg from 'pg';

import { Recorder } from '../support/recorder.ts';
import { Workspace } from '../support/workspace.ts';
import { useDatabase } from '../support/databases.ts';
import { up, type RunOptions } from '../support/running.ts';

/** Defaults of the database, unlike those of Lockstep, so that a test can tell which of the two a session has. */
const DEFAULTS = {
  client_connection_check_interval: '33s',
  idle_session_timeout: '33min',
  idle_in_transaction_session_timeout: '33min',
  tcp_keepalives_idle: '33',
  tcp_keepalives_interval: '33',
  tcp_keepalives_count: '33',
  // The server shows this one in milliseconds, without a unit.
  tcp_user_timeout: '33000',
  synchronous_commit: 'off',
  lock_timeout: '33s',
  statement_timeout: '33min',
  transaction_timeout: '33min',
};
type Setting = keyof typeof DEFAULTS;

const OURS: Readonly<Record<Setting, string>> = {
  client_connection_check_interval: '1s',
  idle_session_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '25000',
  synchronous_commit: 'on',
  lock_timeout: '0',
  statement_timeout: '0',
  transaction_timeout: '0',
};

/** Set with SET LOCAL for a file with DDL: takes effect even where the server refuses to set it for the session. */
const PER_MIGRATION: Partial<Record<Setting, string>> = { lock_timeout: '5s' };

/** The first server version that has transaction_timeout. */
const VERSION_17 = 170_000;

/** A file with DDL. */
const RECORD = (settings: readonly string[]): string =>
  `CREATE TABLE seen AS SELECT name, current_setting(name) AS value FROM unnest('{${settings.join(',')}}'::text[]) name;`;

/** Replaces PostgreSQL's own function, and refuses settings as a hosted server does. */
const REFUSE = (refused: readonly string[]): string => `
  ALTER FUNCTION pg_catalog.set_config(text, text, boolean) RENAME TO set_config_of_the_server;
  CREATE FUNCTION pg_catalog.set_config(setting text, value text, local boolean) RETURNS text LANGUAGE plpgsql AS $$
  BEGIN
    IF setting = ANY ('{${refused.join(',')}}') THEN
      RAISE insufficient_privilege USING MESSAGE = format('permission denied to set parameter "%s"', setting);
    END IF;
    RETURN pg_catalog.set_config_of_the_server(setting, value, local);
  END $$`;

const ACCEPT = `
  DROP FUNCTION pg_catalog.set_config(text, text, boolean);
  ALTER FUNCTION pg_catalog.set_config_of_the_server(text, text, boolean) RENAME TO set_config`;

describe("a migration's session", () => {
  const database = useDatabase();
  let settings: readonly Setting[];

  before(async () => {
    const [row] = await ask<{ version: number }>(`SELECT current_setting('server_version_num')::int AS version`);
    const all = Object.keys(DEFAULTS) as Setting[];
    settings = row!.version >= VERSION_17 ? all : all.filter((name) => name !== 'transaction_timeout');
    for (const name of settings)
      await ask(`ALTER DATABASE ${new URL(database()).pathname.slice(1)} SET ${name} = '${DEFAULTS[name]}'`);
  });

  async function ask<R extends object>(sql: string): Promise<R[]> {
    const client = new pg.Client(database());
    await client.connect();
    return await client
      .query<R>(sql)
      .then(({ rows }) => rows)
      .finally(() => client.end());
  }

  interface Seen {
    readonly values: Record<string, string>;
    /** The settings that an event reported as refused. */
    readonly refused: string[];
  }

  async function seenByMigration(options: RunOptions = {}): Promise<Seen> {
    const workspace = await Workspace.create(database());
    try {
      await workspace.write({
        '001_first.up.sql': 'RESET ALL;',
        '002_seen.up.sql': RECORD([...settings, 'application_name']),
      });
      const reporter = new Recorder();
      await up(workspace, { runnerName: 'pod-7', reporter, ...options });
      const rows = await workspace.query<{ name: string; value: string }>('SELECT * FROM seen');
      const refused = reporter.of('session.setting-refused').map(({ setting }) => setting);
      return { values: Object.fromEntries(rows.map(({ name, value }) => [name, value])), refused };
    } finally {
      await workspace.close({ keep: false });
    }
  }

  /** Lockstep's values, except for the settings that the server refuses. */
  function expected(refused: readonly Setting[] = []): Record<string, string> {
    const value = (name: Setting): string =>
      PER_MIGRATION[name] ?? (refused.includes(name) ? DEFAULTS[name] : OURS[name]);
    return Object.fromEntries(settings.map((name) => [name, value(name)]));
  }

  it('has every setting of Lockstep, whatever the database says, and its application name', async () => {
    const { values, refused } = await seenByMigration();
    const { application_name: name, ...others } = values;
    expect(others).to.deep.equal(expected());
    expect(name).to.match(/^lockstep up \S+ pod-7$/);
    expect(refused).to.deep.equal([]);
  });

  it('has the time limits of the run', async () => {
    const { values } = await seenByMigration({ lockTimeoutMs: 7_000, statementTimeoutMs: 660_000 });
    expect(values).to.include({ lock_timeout: '7s', statement_timeout: '11min' });
  });

  for (const name of Object.keys(DEFAULTS) as Setting[]) {
    it(`goes without ${name} where the server refuses it, and reports that`, async () => {
      if (!settings.includes(name)) {
        expect(await ask(`SELECT current_setting('${name}', true) AS value`), 'not known to this server').to.deep.equal(
          [{ value: null }],
        );
        return;
      }
      await ask(REFUSE([name]));
      try {
        const { values, refused } = await seenByMigration();
        expect(values).to.include(expected([name]));
        expect(refused).to.deep.equal([name]);
      } finally {
        await ask(ACCEPT);
      }
    });
  }

  it('goes without all of them where the server refuses all', async () => {
    await ask(REFUSE(settings));
    try {
      const { values, refused } = await seenByMigration();
      expect(values).to.include(expected(settings));
      expect(refused).to.have.members([...settings]);
    } finally {
      await ask(ACCEPT);
    }
  });
});
