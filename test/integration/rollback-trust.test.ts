/** Stored SQL runs only if no role but the owner could have written it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { runCli } from '../support/cli.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { createRole, type TestRole } from '../support/roles.ts';
import { done, down, failure, up } from '../support/running.ts';
import { sqlstateOf } from '../support/sessions.ts';

const VERSIONS = versionsOf(FIVE_FILES);
const JOURNAL = 'schema_migrations_journal';

describe('stored SQL', () => {
  const workspace = useWorkspace();
  let app: TestRole;
  let empty = '';

  beforeEach(async () => {
    await workspace().write(FIVE_FILES);
    app = await createRole(workspace());
    empty = join(workspace().dir, 'empty');
    await mkdir(empty);
  });

  const fromStored = (more: object = {}) => down(workspace(), { dir: empty, allowEmpty: true, steps: 1, ...more });
  const grantDefaults = () =>
    workspace().query(`ALTER DEFAULT PRIVILEGES IN SCHEMA ${workspace().schema} GRANT ALL ON TABLES TO ${app.name}`);

  it('of an application role with default privileges cannot be planted, nor a trigger', async () => {
    await grantDefaults();
    await up(workspace());
    const attacker = await workspace().client({ connectionString: app.url });
    const planted = `CREATE ROLE ${app.name}_owned SUPERUSER`;
    await attacker.query(
      `CREATE FUNCTION ${workspace().schema}.mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${planted}; RETURN NEW; END $$`,
    );
    for (const table of ['schema_migrations', JOURNAL]) {
      const name = `${workspace().schema}.${table}`;
      const tries = [
        `INSERT INTO ${name} (version) VALUES ('999_x')`,
        `UPDATE ${name} SET version = version`,
        `DELETE FROM ${name}`,
        `TRUNCATE ${name}`,
        `CREATE TRIGGER mine AFTER INSERT ON ${name} FOR EACH ROW EXECUTE FUNCTION ${workspace().schema}.mine()`,
        `CREATE RULE mine AS ON INSERT TO ${name} DO ALSO DELETE FROM ${name}`,
        `CREATE POLICY mine ON ${name}`,
        `ALTER TABLE ${name} OWNER TO ${app.name}`,
        `DROP TABLE ${name}`,
      ];
      for (const sql of tries) expect(await sqlstateOf(attacker.query(sql)), sql).to.equal('42501');
    }
    await attacker.end();
    expect(done(await fromStored())).to.deep.equal(['005_order_notes']);
    expect(await workspace().query(`SELECT FROM pg_roles WHERE rolname = $1`, [`${app.name}_owned`])).to.deep.equal([]);
  });

  it('that the application role could plant in a table before Lockstep took it over is refused, and does not run', async () => {
    await grantDefaults();
    // The original Go runner's table has the grants of the default privileges.
    await workspace().query(
      'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const reporter = new Recorder();
    await up(workspace(), { reporter });
    const told = reporter.of('warning').map(({ message }) => message);
    expect(told.join()).to.match(
      /rolling back from stored SQL will be refused: role "\w+" may .*INSERT.* on \w+\.schema_migrations/,
    );
    const attacker = await workspace().client({ connectionString: app.url });
    await attacker.query(
      `CREATE FUNCTION ${workspace().schema}.mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE ${workspace().schema}.planted (); RETURN OLD; END $$`,
    );
    await attacker.query(
      `CREATE TRIGGER mine AFTER DELETE ON ${workspace().schema}.schema_migrations FOR EACH ROW EXECUTE FUNCTION ${workspace().schema}.mine()`,
    );
    await attacker.end();
    const error = await failure('ROLLBACK_REFUSED', fromStored());
    expect(error.details.problems!.join('\n'))
      .to.match(/may .*DELETE.*TRIGGER.* on/)
      .and.match(/trigger "mine" is on/);
    expect(await workspace().query(`SELECT to_regclass('planted') AS planted`)).to.deep.equal([{ planted: null }]);
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
  });

  const OPENINGS: Readonly<Record<string, [sql: (role: string) => string, words: RegExp]>> = {
    'a grant on the journal': [
      (role) => `GRANT INSERT, UPDATE ON ${JOURNAL} TO ${role}`,
      /role "\w+" may INSERT, UPDATE on \w+\.schema_migrations_journal/,
    ],
    'a grant on the history': [
      (role) => `GRANT TRUNCATE ON schema_migrations TO ${role}`,
      /may TRUNCATE on \w+\.schema_migrations$/,
    ],
    'a grant to PUBLIC': [() => `GRANT DELETE ON ${JOURNAL} TO PUBLIC`, /everybody \(PUBLIC\) may DELETE/],
    'a grant of one column': [
      (role) => `GRANT UPDATE (down_sql, hold) ON ${JOURNAL} TO ${role}`,
      /role "\w+" may UPDATE column down_sql, hold of/,
    ],
    'a trigger': [
      () =>
        `CREATE TRIGGER odd BEFORE INSERT ON ${JOURNAL} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
      /trigger "odd" is on/,
    ],
    'a rule': [() => `CREATE RULE odd AS ON UPDATE TO schema_migrations DO NOTHING`, /rule "odd" is on/],
    'a policy': [() => `CREATE POLICY odd ON ${JOURNAL} USING (true)`, /row security policy "odd" is on/],
    'another owner': [(role) => `ALTER TABLE ${JOURNAL} OWNER TO ${role}`, /role "\w+" owns/],
  };
  for (const [name, [sql, words]] of Object.entries(OPENINGS)) {
    it(`is refused with ${name}, and runs with --trust-stored`, async () => {
      await up(workspace());
      // Created after the rows: an odd one might change them.
      await workspace().query(sql(app.name));
      const error = await failure('ROLLBACK_REFUSED', fromStored());
      expect(error.details.problems).to.have.length(1);
      expect(error.details.problems![0]).to.match(words);
      expect(error.hint).to.contain('trustStored');
      expect(await workspace().versions()).to.deep.equal(VERSIONS);
      const shown = await runCli(
        ['down', '--steps', '1', '--dir', empty, '--allow-empty', '--dry-run', '--trust-stored'],
        workspace(),
      );
      expect(shown.code, shown.stderr).to.equal(0);
      expect(shown.stdout).to.contain('DROP TABLE notes;');
    });
  }

  it('is trusted when other roles may only read, and when the owner is a role that the migrator is a member of', async () => {
    const owner = await createRole(workspace());
    await up(workspace(), { connectionString: owner.url });
    await workspace().query(`GRANT SELECT, REFERENCES ON ${JOURNAL}, schema_migrations TO ${app.name}`);
    expect(done(await fromStored({ connectionString: owner.url }))).to.deep.equal(['005_order_notes']);
    await workspace().query(`GRANT ${owner.name} TO ${app.name}`);
    expect(done(await fromStored({ connectionString: app.url }))).to.deep.equal(['004_bonus']);
  });

  /**
   * Who else counts as a writer for tables whose owner is a group that includes the migrator, by role and server
   * version.
   */
  const MEMBERS: Readonly<
    Record<
      string,
      { readonly sql: (group: string, role: string) => string; readonly since?: number; readonly trusted?: true }
    >
  > = {
    'another member': { sql: (group, role) => `GRANT ${group} TO ${role}` },
    'another member, which does not inherit': {
      sql: (group, role) => `ALTER ROLE ${role} NOINHERIT; GRANT ${group} TO ${role}`,
    },
    'a member of a member': {
      sql: (group, role) => `CREATE ROLE ${role}_b; GRANT ${group} TO ${role}_b; GRANT ${role}_b TO ${role}`,
    },
    'a member that may only SET ROLE': {
      sql: (group, role) => `GRANT ${group} TO ${role} WITH INHERIT FALSE, SET TRUE`,
      since: 160_000,
    },
    'a member that only inherits': {
      sql: (group, role) => `GRANT ${group} TO ${role} WITH INHERIT TRUE, SET FALSE`,
      since: 160_000,
    },
    'a member that may only grant it': {
      sql: (group, role) => `GRANT ${group} TO ${role} WITH INHERIT FALSE, SET FALSE, ADMIN TRUE`,
      since: 160_000,
      trusted: true,
    },
    'a superuser': { sql: (group, role) => `ALTER ROLE ${role} SUPERUSER; GRANT ${group} TO ${role}`, trusted: true },
  };
  for (const [who, { sql, since = 0, trusted }] of Object.entries(MEMBERS)) {
    it(`of tables that a group owns, beside ${who}: ${trusted ? 'trusted' : 'refused'}`, async () => {
      const here = workspace();
      const [version] = await here.query<{ number: number }>(
        `SELECT current_setting('server_version_num')::int AS number`,
      );
      if (version!.number < since) {
        // These membership options exist from that version on.
        expect(await sqlstateOf(here.query(sql(app.name, app.name)))).to.equal('42601');
        return;
      }
      const [group, migrator] = [await createRole(here), await createRole(here)];
      await here.query(`GRANT ${group.name} TO ${migrator.name}`);
      await up(here, { connectionString: migrator.url, role: group.name });
      expect(done(await fromStored({ connectionString: migrator.url, role: group.name }))).to.deep.equal([
        '005_order_notes',
      ]);
      here.defer(() => here.query(`DROP ROLE IF EXISTS ${app.name}_b`));
      await here.query(sql(group.name, app.name));
      for (const options of [
        { connectionString: migrator.url, role: group.name },
        { connectionString: migrator.url },
      ]) {
        if (trusted) {
          expect(done(await fromStored(options))).to.have.length(1);
        } else {
          const error = await failure('ROLLBACK_REFUSED', fromStored(options));
          expect(error.details.problems!.join()).to.match(/role "\w+" is a member of the owner of/);
        }
      }
    });
  }

  it('is refused for a superuser when another role owns the tables: the owner could have written anything', async () => {
    const owner = await createRole(workspace());
    await up(workspace(), { connectionString: owner.url });
    expect((await failure('ROLLBACK_REFUSED', fromStored())).details.problems!.join()).to.match(/role "\w+" owns/);
    expect(done(await fromStored({ role: owner.name }))).to.deep.equal(['005_order_notes']);
  });

  it('runs with --trust-stored although other roles could have written it', async () => {
    await up(workspace());
    await workspace().query(`GRANT INSERT ON ${JOURNAL} TO ${app.name}`);
    expect(done(await fromStored({ trustStored: true }))).to.deep.equal(['005_order_notes']);
  });

  it('needs no trust where the files have the same text', async () => {
    await up(workspace());
    await workspace().query(`GRANT INSERT ON ${JOURNAL} TO ${app.name}`);
    expect(done(await down(workspace(), { steps: 1 }))).to.deep.equal(['005_order_notes']);
  });
});
