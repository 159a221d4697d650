/** A history in production for years: restores, replication, settings of role and database, failing pods. */
import { expect } from 'chai';

import { documentOf } from '../support/json-documents.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { createRole } from '../support/roles.ts';
import { done, down, failure, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

const JOURNAL = 'schema_migrations_journal';

describe('a history in production for years', () => {
  const workspace = useWorkspace();

  beforeEach(async () => {
    await workspace().write({ ...file(1, 'a', 'CREATE TABLE a ();'), '001_a.down.sql': 'DROP TABLE a;' });
    await up(workspace(), { release: 'shop/1@1' });
    await workspace().write({ ...file(2, 'b', 'CREATE TABLE b ();'), '002_b.down.sql': 'DROP TABLE b;' });
  });

  it("has its journal's sequence corrected when it is behind the rows", async () => {
    await workspace().query(`SELECT setval(pg_get_serial_sequence('${JOURNAL}', 'id'), 1, false)`);
    const reporter = new Recorder();
    expect(done(await up(workspace(), { reporter }))).to.deep.equal(['002_b']);
    expect(
      reporter
        .of('warning')
        .map(({ message }) => message)
        .join(),
    ).to.include('sequence');
    expect(done(await down(workspace(), { steps: 1 }))).to.deep.equal(['002_b']);
  });

  it('drops old journal rows of runs that changed nothing, and no others', async () => {
    await workspace().write(file(2, 'b', 'SELECT nope;'));
    for (let run = 0; run < 3; run += 1) await failure('MIGRATION_FAILED', up(workspace(), { release: 'shop/2@2' }));
    const rows = (): Promise<{ event: string; release: string | null }[]> =>
      workspace().query(`SELECT event, release FROM ${JOURNAL} WHERE at < now() - interval '1 day' ORDER BY id`);
    await workspace().query(`UPDATE ${JOURNAL} SET at = at - interval '31 days'`);
    const before = await rows();
    await workspace().write(file(2, 'b', 'CREATE TABLE b ();'));
    await up(workspace());
    const after = await rows();
    expect(after.length).to.be.lessThan(before.length);
    expect(after.filter(({ event }) => event === 'failed')).to.deep.equal([]);
    expect(after.filter(({ event }) => event === 'applied')).to.have.lengthOf(1);
    // The release is still known.
    expect(after.filter(({ release }) => release === 'shop/2@2')).to.have.lengthOf(1);
    expectExit(await runCli(['down', '--steps', '1', '--journal-keep', '0'], workspace()), 0);
  });

  it('does not pause a run for a failure with a time in the future, as after the clock was set back', async () => {
    await workspace().write(file(2, 'b', 'SELECT nope;'));
    const env = { ...workspace().env, LOCKSTEP_RELEASE: 'shop@2' };
    expectExit(await runCli(['up'], { env }), 40);
    expect((await runCli(['up'], { env })).stderr).to.include('next try');
    await workspace().query(`UPDATE ${JOURNAL} SET at = at + interval '1 day' WHERE event = 'failed'`);
    await workspace().write(file(2, 'b', 'SELECT nope;'));
    expect((await runCli(['up'], { env })).stderr).to.not.include('next try');
  });

  it('makes one of two concurrent first runs with different lock keys exit with 20, and nothing runs twice', async () => {
    await workspace().query('DROP TABLE schema_migrations, schema_migrations_journal, a');
    await workspace().write({
      '001_a.up.sql':
        'CREATE TABLE IF NOT EXISTS a (x int);\nCREATE INDEX CONCURRENTLY a_x ON a (x);\nINSERT INTO a VALUES (1);',
    });
    const runs = await Promise.allSettled(['11', '12'].map((lockKey) => up(workspace(), { lockKey })));
    const codes = runs
      .map((run) => (run.status === 'fulfilled' ? 'done' : (run.reason as { code: string }).code))
      .sort();
    expect(codes).to.deep.equal(['CONFIG_INVALID', 'done']);
    expect(await workspace().query('SELECT x FROM a')).to.deep.equal([{ x: 1 }]);
  });
});

describe('settings of role and database', () => {
  const workspace = useWorkspace();

  /**
   * User settings at both ends of their range; settings that a migrator cannot work with are refused before anything
   * runs.
   */
  const SETTINGS = `SELECT name, vartype, min_val, max_val, enumvals FROM pg_settings
    WHERE context = 'user' AND name NOT LIKE 'debug%' AND name !~ '^(plpgsql|role|session_authorization|search_path|temp_tablespaces|default_tablespace|default_transaction_read_only)' AND name !~ '^transaction_' ORDER BY name`;
  const DATES = ['German', 'SQL, DMY', 'Postgres, MDY', 'ISO, YMD'];

  function valuesOf({
    name,
    vartype,
    min_val: min,
    max_val: max,
    enumvals,
  }: {
    name: string;
    vartype: string;
    min_val: string | null;
    max_val: string | null;
    enumvals: string[] | null;
  }): readonly string[] {
    if (name === 'DateStyle') return DATES;
    if (vartype === 'bool') return ['on', 'off'];
    if (vartype === 'enum') return enumvals ?? [];
    // A limit of one unit blocks all work, and the largest one waits forever.
    if (vartype === 'integer' || vartype === 'real')
      return name.endsWith('_timeout') || name.includes('limit') ? [] : [min ?? '', max ?? ''];
    return [];
  }

  it('change neither the result nor the output of a run', async function () {
    this.timeout(180_000);
    await workspace().write({
      ...file(1, 'a', 'CREATE TABLE a ();'),
      '001_a.down.sql': 'DROP TABLE a;',
      ...file(2, 'b', 'CREATE TABLE b ();'),
      '002_b.down.sql': 'DROP TABLE b;',
    });
    const settings = await workspace().query<Parameters<typeof valuesOf>[0]>(SETTINGS);
    const tried: string[] = [];
    const wrong: string[] = [];
    for (const setting of settings) {
      for (const value of valuesOf(setting)) {
        const url = new URL(workspace().url);
        url.searchParams.set(setting.name, value);
        const run = { connectionString: url.href };
        tried.push(`${setting.name}=${value}`);
        const outcome = await (async () => [
          done(await up(workspace(), run)),
          (await up(workspace(), run)).skipped,
          done(await down(workspace(), { ...run, steps: 2, hold: false })),
        ])().catch((error: unknown) => (error as { code?: string }).code);
        // A server may reject a value of a setting, which is printed.
        if (
          outcome !== 'CONFIG_INVALID' &&
          JSON.stringify(outcome) !==
            JSON.stringify([
              ['001_a', '002_b'],
              ['001_a', '002_b'],
              ['002_b', '001_a'],
            ])
        )
          wrong.push(`${setting.name}=${value}: ${JSON.stringify(outcome)}`);
        if (outcome === undefined) break;
      }
    }
    expect(tried.length).to.be.greaterThan(150);
    expect(wrong).to.deep.equal([]);
  });

  for (const style of DATES) {
    it(`DateStyle ${style} of the role: times are read back as they were written`, async () => {
      const role = await createRole(workspace(), {
        settings: { datestyle: style, intervalstyle: 'postgres_verbose', extra_float_digits: '-15' },
      });
      await workspace().write({ ...file(1, 'a', 'CREATE TABLE a ();'), '001_a.down.sql': 'DROP TABLE a;' });
      const env = { ...workspace().env, DATABASE_URL: role.url, LOCKSTEP_RELEASE: 'shop/1@1' };
      expectExit(await runCli(['up'], { env }), 0);
      expectExit(await runCli(['down', '--steps', '1', '--hold'], { env }), 0);
      const status = documentOf('status', await runCli(['status', '--json'], { env })) as {
        migrations: { state: string; hold: { at: string } }[];
      };
      expect(status.migrations[0]!.state).to.equal('held');
      expect(Math.abs(Date.parse(status.migrations[0]!.hold.at) - Date.now())).to.be.lessThan(60_000);
      expectExit(await runCli(['up'], { env }), 22);
      for (const command of ['lock', 'repair', 'history']) expectExit(await runCli([command], { env }), 0);
    });
  }

  it('do not limit statements: the run ignores a statement_timeout of the role', async () => {
    await workspace().write(file(1, 'a', 'CREATE TABLE a ();'));
    const role = await createRole(workspace(), { settings: { statement_timeout: '1' } });
    const result = await runCli(['up'], { env: { ...workspace().env, DATABASE_URL: role.url } });
    expectExit(result, 0);
  });
});
