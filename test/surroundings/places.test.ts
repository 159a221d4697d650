/**
 * The search_path decides where the history and new objects are: whatever sets it, whatever its schemas' names, and
 * whatever exists already.
 */
import { expect } from 'chai';

import { derivedKey } from '../../src/adapters/postgres/state/relation.ts';
import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { useDatabase } from '../support/databases.ts';
import { createRole, type TestRole } from '../support/roles.ts';
import { useWorkspace } from '../support/workspace.ts';

const FILES = { '001_a.up.sql': 'CREATE TABLE made (x int);', '001_a.down.sql': 'DROP TABLE made;' };

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const pathOf = (...schemas: readonly string[]): string => schemas.map(quoted).join(', ');
/** Escapes a value as libpq parses `options`. */
const escaped = (text: string): string => text.replaceAll(/[\\ ]/g, '\\$&');

const NAMES = ['Ten ant', 'te"nant', "it's, a.b", 'a\\b', 'größer', '$user'];

describe('the schema of the history', () => {
  const database = useDatabase();
  const workspace = useWorkspace(database);
  let role: TestRole;
  /** The first schema of the path, and the second one. */
  let tenant: string;
  let behind: string;

  beforeEach(async () => {
    await workspace().write(FILES);
    role = await createRole(workspace());
    behind = workspace().schema;
    tenant = `${behind}_tenant`;
  });

  const query = (sql: string): Promise<Record<string, unknown>[]> => workspace().query(sql);
  const databaseName = (): string => new URL(database()).pathname.slice(1);

  async function createSchema(name: string): Promise<void> {
    const here = workspace();
    await here.query(`CREATE SCHEMA ${quoted(name)} AUTHORIZATION ${role.name}`);
    here.defer(() => here.query(`DROP SCHEMA IF EXISTS ${quoted(name)} CASCADE`));
  }

  type Run = (args: readonly string[]) => Promise<CliResult>;

  function runner(parameters: Readonly<Record<string, string>> = {}, more: Readonly<Record<string, string>> = {}): Run {
    const url = new URL(role.url);
    url.search = Object.entries(parameters)
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join('&');
    return (args) => runCli(args, { env: { ...workspace().env, DATABASE_URL: url.href, ...more } });
  }

  async function alter(what: string, path: string): Promise<void> {
    const here = workspace();
    await here.query(`ALTER ${what} SET search_path = ${path}`);
    here.defer(() => here.query(`ALTER ${what} RESET search_path`));
  }

  /** Each way to set a path before the run. */
  const WAYS: Readonly<Record<string, (path: string) => Promise<Run> | Run>> = {
    'the address': (path) => runner({ search_path: path }),
    "the address's options": (path) => runner({ options: `-c search_path=${escaped(path)}` }),
    PGOPTIONS: (path) => runner({}, { PGOPTIONS: `-c search_path=${escaped(path)}` }),
    'the role': async (path) => (await alter(`ROLE ${role.name}`, path), runner()),
    'the role in the database': async (path) => (
      await alter(`ROLE ${role.name} IN DATABASE ${databaseName()}`, path), runner()
    ),
    'the database': async (path) => (await alter(`DATABASE ${databaseName()}`, path), runner()),
    'ALTER ROLE ALL in the database, with quoted identifiers': async (path) => {
      await alter(`ROLE ALL IN DATABASE ${databaseName()}`, path);
      return runner({ quote_all_identifiers: 'on' });
    },
  };

  const COMMANDS: Readonly<Record<string, readonly string[]>> = {
    up: ['up'],
    'up --dry-run': ['up', '--dry-run'],
    status: ['status'],
    wait: ['wait', '--timeout', '10s'],
    lock: ['lock'],
    history: ['history'],
    baseline: ['baseline', '--to', '001_a'],
    repair: ['repair'],
    'down --dry-run': ['down', '--steps', '1', '--dry-run'],
    down: ['down', '--steps', '1'],
  };

  async function schemasOf(relation: string): Promise<unknown[]> {
    const rows = await query(
      `SELECT n.nspname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = '${relation}' ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  }
  const warningsOf = ({ logs }: CliResult): string =>
    logs
      .filter(({ event }) => event === 'warning')
      .map(({ text }) => String(text))
      .join('\n');

  /** Runs the commands in sequence: some write. */
  async function expectAll(run: Run, names = Object.keys(COMMANDS)): Promise<void> {
    for (const name of names) {
      const result = await run(COMMANDS[name]!);
      if (result.code !== 0) throw new Error(`${name}: exit ${result.code}\n${result.stderr}`);
    }
  }

  /** Runs the commands in parallel: none of them changes anything. */
  async function expectAllRefused(run: Run, names: readonly string[], words: readonly string[]): Promise<void> {
    const commands = { ...COMMANDS, import: ['import', '--from', 'goose'] };
    const results = await Promise.all([...names, 'import'].map((name) => run(commands[name as keyof typeof commands])));
    for (const result of results) {
      expectExit(result, 20);
      for (const word of words) expect(result.stderr).to.include(word);
    }
  }

  for (const [by, set] of Object.entries(WAYS)) {
    describe(`with a path set by ${by}`, () => {
      // The way in which a command finds its tables does not depend on what set the path.
      const names = ['the address', 'the role'].includes(by) ? Object.keys(COMMANDS) : ['up', 'status', 'down'];

      it('is the first schema, as for new objects; a history in a later schema is ignored; every command finds it', async () => {
        await createSchema(tenant);
        const run = await set(pathOf(tenant, behind));
        const first = await run(['up']);
        expectExit(first, 0);
        expect(warningsOf(first)).to.equal('');
        expectExit(await runner({ search_path: behind })(['up']), 0);
        expect(await schemasOf('schema_migrations')).to.deep.equal([behind, tenant]);
        expect(await schemasOf('made')).to.deep.equal([behind, tenant]);
        await expectAll(run, names);
        expect(await schemasOf('made')).to.deep.equal([behind]);
      });

      it('is ambiguous when only a later schema has a history: every command exits with 20 and names both', async () => {
        expectExit(await runner({ search_path: behind })(['up']), 0);
        await createSchema(tenant);
        const run = await set(pathOf(tenant, behind));
        await expectAllRefused(run, names, [
          `--table ${behind}.schema_migrations`,
          `--table ${tenant}.schema_migrations`,
        ]);
        expect(await schemasOf('schema_migrations')).to.deep.equal([behind]);
        const there = await run(['up', '--table', `${behind}.schema_migrations`]);
        expectExit(there, 0);
        expect(there.stdout).to.include('skip');
        const own = await run(['up', '--table', `${tenant}.schema_migrations`]);
        expectExit(own, 0);
        expect(warningsOf(own)).to.include(`begins a history in schema ${tenant}`).and.include(behind);
        expect(await schemasOf('made')).to.deep.equal([behind, tenant]);
        expectExit(await run(['status', '--exit-code']), 0);
      });

      it('is the first schema that exists; a file that creates an earlier one causes a warning', async () => {
        const run = await set(pathOf(tenant, behind));
        expectExit(await run(['up']), 0);
        expect(await schemasOf('schema_migrations')).to.deep.equal([behind]);
        await query(`GRANT CREATE ON DATABASE ${databaseName()} TO ${role.name}`);
        const here = workspace();
        here.defer(() => here.query(`DROP SCHEMA IF EXISTS ${tenant} CASCADE`));
        await workspace().write({ '002_b.up.sql': `CREATE SCHEMA ${tenant};` });
        const made = await run(['up']);
        expectExit(made, 0);
        expect(warningsOf(made)).to.include(`--table ${behind}.schema_migrations`);
        expectExit(await run(['up']), 20);
        expectExit(await run(['up', '--table', `${behind}.schema_migrations`]), 0);
      });

      it('does not exist when the path has no existing schema: exit 20', async () => {
        const result = await (await set(pathOf(tenant)))(['up']);
        expectExit(result, 20);
        expect(result.stderr).to.include('no schema of the search_path exists');
      });
    });
  }

  for (const name of NAMES) {
    it(`can be named ${name}: commands create it, find it, refuse it and report it under that name`, async () => {
      await createSchema(name);
      // A quoted name is an ordinary name, except "$user", which stands for the role's.
      if (name === '$user') await createSchema(role.name);
      const schema = name === '$user' ? role.name : name;
      const path = pathOf(name, behind);
      expectExit(await runner({ search_path: behind })(['up']), 0);
      const run = runner({ search_path: path });
      const refused = await run(['up', '--log-format', 'text']);
      expectExit(refused, 20);
      expect(refused.stderr).to.include(`objects, ${schema}`);
      const env = { LOCKSTEP_TABLE: 'lockstep_history', LOCKSTEP_LOCK_KEY: '' };
      const other = runner({ search_path: path }, env);
      for (let count = 0; count < 2; count += 1) expectExit(await other(['up']), 0);
      expect(await schemasOf('lockstep_history')).to.deep.equal([schema]);
      expect(await schemasOf('made')).to.deep.equal([schema, behind].sort());
      const [comment] = await query(
        `SELECT obj_description(c.oid, 'pg_class') AS text FROM pg_class c WHERE relname = 'lockstep_history'`,
      );
      expect(comment?.['text']).to.match(new RegExp(`lock key ${derivedKey(schema, 'lockstep_history')}$`));
      expectExit(await other(['status', '--exit-code']), 0);
    });
  }

  describe("with the server's default path", () => {
    beforeEach(async () => {
      await query(`GRANT ALL ON SCHEMA public TO ${role.name}`);
      const here = workspace();
      here.defer(() =>
        here.query('DROP TABLE IF EXISTS public.schema_migrations, public.schema_migrations_journal, public.made'),
      );
    });

    it("is public, and stays public when a schema with the role's name appears, in which new objects are created", async () => {
      expectExit(await runner()(['up']), 0);
      expect(await schemasOf('schema_migrations')).to.deep.equal(['public']);
      await createSchema(role.name);
      await workspace().write({
        '002_b.up.sql': 'CREATE TABLE second (x int);',
        '002_b.down.sql': 'DROP TABLE second;',
      });
      expectExit(await runner()(['up']), 0);
      expect(await schemasOf('schema_migrations')).to.deep.equal(['public']);
      expect(await schemasOf('second')).to.deep.equal([role.name]);
      await expectAll(runner());
    });

    it('is the schema with the name of the role, or of the role of --role', async () => {
      await createSchema(role.name);
      expectExit(await runner()(['up']), 0);
      expect(await schemasOf('schema_migrations')).to.deep.equal([role.name]);
      await query(
        `DROP TABLE ${role.name}.schema_migrations, ${role.name}.schema_migrations_journal, ${role.name}.made`,
      );
      const env = { ...workspace().env, DATABASE_URL: database() };
      for (const args of [['up'], ['up'], ['status', '--exit-code']])
        expectExit(await runCli([...args, '--role', role.name], { env }), 0);
      expect(await schemasOf('schema_migrations')).to.deep.equal([role.name]);
      expect(await schemasOf('made')).to.deep.equal([role.name]);
    });
  });

  describe('after a run that changes a path', () => {
    const CHANGES: Readonly<
      Record<
        string,
        {
          readonly sql: () => string;
          readonly reported: boolean;
          readonly address?: boolean;
          readonly path?: () => string;
        }
      >
    > = {
      'of the role': { sql: () => `ALTER ROLE ${role.name} SET search_path = ${tenant}`, reported: true },
      'of the role in the database': {
        sql: () => `ALTER ROLE ${role.name} IN DATABASE ${databaseName()} SET search_path = ${tenant}, ${behind}`,
        reported: true,
      },
      'of the database': { sql: () => `ALTER DATABASE ${databaseName()} SET search_path = ${tenant}`, reported: true },
      'of the database, for a role with its own path': {
        sql: () => `ALTER DATABASE ${databaseName()} SET search_path = ${tenant}`,
        reported: false,
        path: () => behind,
      },
      'of the role, when the address sets one': {
        sql: () => `ALTER ROLE ${role.name} SET search_path = ${tenant}`,
        reported: false,
        address: true,
      },
      'of the role, with the same first schema': {
        sql: () => `ALTER ROLE ${role.name} SET search_path = ${behind}, ${tenant}`,
        reported: false,
      },
      'of another role': {
        sql: () =>
          `CREATE ROLE ${role.name}_b; ALTER ROLE ${role.name}_b SET search_path = ${tenant}; DROP ROLE ${role.name}_b`,
        reported: false,
      },
    };
    for (const [what, { sql, reported, address, path }] of Object.entries(CHANGES)) {
      it(`${reported ? 'is reported with a --table to set' : 'is not reported'}: the path ${what}`, async () => {
        await createSchema(tenant);
        const here = workspace();
        await here.query(`ALTER ROLE ${role.name} SUPERUSER`);
        here.defer(() => here.query(`ALTER DATABASE ${databaseName()} RESET search_path`));
        if (path) await here.query(`ALTER ROLE ${role.name} SET search_path = ${path()}`);
        else if (address !== true) await here.query(`ALTER DATABASE ${databaseName()} SET search_path = ${behind}`);
        await here.write({ '002_b.up.sql': `${sql()};` });
        const run = runner(address === true ? { search_path: behind } : {});
        const result = await run(['up']);
        expectExit(result, 0);
        expect(/--table \S+/.exec(warningsOf(result))?.[0]).to.equal(
          reported ? `--table ${behind}.schema_migrations` : undefined,
        );
        const next = await run(['up', ...(reported ? ['--table', `${behind}.schema_migrations`] : [])]);
        expectExit(next, 0);
        expect(next.stdout).to.include('skip');
        expect(await schemasOf('schema_migrations')).to.deep.equal([behind]);
      });
    }
  });
});
