/** Many databases: a run finds its own by name or index, and `fleet status` reads all. */
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';

import { within } from '../support/bounded.ts';
import { expectExit, startCli, type CliProcess, type CliResult } from '../support/cli.ts';
import { useDatabase } from '../support/databases.ts';
import { holdKey } from '../support/holder.ts';
import { documentOf } from '../support/json-documents.ts';
import { closedPort } from '../support/opening.ts';
import { useWorkspace } from '../support/workspace.ts';

/** Of a table that is named schema_migrations. */
const KEY = '7244554146635925501';

const FILES = {
  '001_a.up.sql': 'CREATE TABLE a (n int);',
  '002_b.up.sql': 'DO $$ BEGIN IF EXISTS (SELECT FROM a) THEN PERFORM 1 / 0; END IF; END $$;',
};

async function emptied(address: string): Promise<void> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await client.end();
}

describe('a fleet', () => {
  const workspace = useWorkspace();
  const [orders, customers, stock] = [useDatabase(), useDatabase(), useDatabase()];
  let targets: string;

  beforeEach(async () => {
    await workspace().write(FILES);
    targets = join(workspace().dir, 'targets');
    await mkdir(targets);
    const addresses = { orders: orders(), 'customers.eu': customers(), stock: stock() };
    for (const [name, address] of Object.entries(addresses)) {
      await writeFile(join(targets, name), `${address}\n`);
      await emptied(address);
    }
  });

  function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): CliProcess {
    const { PATH = '', LOCKSTEP_DIR = '' } = workspace().env;
    return startCli(args, {
      env: { PATH, LOCKSTEP_DIR, LOCKSTEP_TARGETS_DIR: targets, LOCKSTEP_POD: 'pod-7', ...env },
    });
  }

  function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
    return start(args, env).exited;
  }

  it('is migrated by index or by name, and each run says which target it worked on', async () => {
    const terminationLog = join(workspace().dir, 'termination');
    await writeFile(terminationLog, '');
    const pod = {
      LOCKSTEP_TARGETS: 'orders,customers.eu,stock',
      JOB_COMPLETION_INDEX: '1',
      LOCKSTEP_TERMINATION_LOG: terminationLog,
    };
    const first = await run(['up', '--to', '001_a'], pod);
    expect(first.code, first.stderr).to.equal(0);
    expect(first.logs.map(({ target }) => target)).to.deep.equal(first.logs.map(() => 'customers.eu'));
    expect(JSON.parse(await readFile(terminationLog, 'utf8'))).to.include({ target: 'customers.eu', exit: 0 });
    const text = await run(['up', '--to', '001_a', '--log-format', 'text', '--log-level', 'debug'], pod);
    expect(text.stderr).to.match(/^[\d:.]+ customers\.eu: /m);

    const byHand = await run(['history', '--json', '--target', 'customers.eu'], pod);
    const { entries } = JSON.parse(byHand.stdout) as { entries: { event: string; runner?: string }[] };
    expect(entries.map(({ runner }) => runner)).to.include('pod-7 (customers.eu)');
    expect(
      (await run(['status', '--exit-code', '--target', 'orders'], pod)).code,
      'the other one is untouched',
    ).to.equal(33);

    const unknown = await run(['up', '--target', 'customers.us'], pod);
    expect(unknown.code).to.equal(20);
    expect(unknown.stderr).to.include('is not one of the 3 names').and.not.include('postgresql://');
  });

  it('is read by "fleet status": what is pending, who failed, who is at work, and who cannot be reached', async () => {
    expect((await run(['up', '--target', 'orders'])).code).to.equal(0);
    expect((await run(['up', '--target', 'stock', '--to', '001_a'])).code).to.equal(0);
    const names = 'orders,customers.eu,stock,gone';
    await writeFile(join(targets, 'gone'), `postgresql://shop:s3cret@127.0.0.1:${await closedPort()}/shop`);
    const fleet = (...more: string[]): Promise<CliResult> =>
      run(['fleet', 'status', '--connect-wait', '0', '--targets', names, ...more]);

    const holder = await holdKey(customers(), KEY, 'somebody else');
    const document = documentOf('fleet', await fleet('--json', '--targets-parallel', '2'));
    await holder.release();
    const rows = document['targets'] as Record<string, Record<string, unknown>>[];
    expect(rows.map(({ target }) => target)).to.deep.equal(names.split(','));
    expect(rows[0]).to.deep.equal({
      target: 'orders',
      upToDate: true,
      version: '002_b',
      pending: [],
      held: [],
      inPart: [],
    });
    expect(rows[1]).to.deep.include({ upToDate: false, pending: ['001_a', '002_b'] });
    expect(rows[1]!['holder']).to.include({ applicationName: 'somebody else' });
    expect(rows[2]).to.deep.include({ version: '001_a', pending: ['002_b'] });
    expect(rows[3]!['error']).to.include({ code: 'DATABASE_UNAVAILABLE' });
    expect(document['exit'], 'unreachable is graver than pending').to.equal(30);

    const table = await fleet();
    expect(table.code).to.equal(30);
    expect(table.stdout)
      .to.match(/^orders +002_b *$/m)
      .and.match(/^gone +DATABASE_UNAVAILABLE /m);
    expect(table.stdout).to.include('4 targets: 1 up to date, 2 PENDING, 1 DATABASE_UNAVAILABLE');
    expect(table.stdout + table.stderr).to.not.include('s3cret');
  });

  it('names a migration that failed, with code and SQLSTATE, until it is applied', async () => {
    await writeFile(join(workspace().dir, '002_b.up.sql'), 'SELECT 1 / 0;');
    expect((await run(['up', '--target', 'customers.eu'])).code).to.equal(40);
    const document = documentOf('fleet', await run(['fleet', 'status', '--json', '--targets', 'customers.eu']));
    expect(document['exit']).to.equal(40);
    const [row] = document['targets'] as { failed: Record<string, unknown> }[];
    expect(row!.failed).to.include({ version: '002_b', code: 'MIGRATION_FAILED', sqlstate: '22012' });
    await workspace().write(FILES);
    expect((await run(['up', '--target', 'customers.eu'])).code).to.equal(0);
    expect((await run(['fleet', 'status', '--targets', 'customers.eu'])).code).to.equal(0);
  });

  it('names what a run refuses without leaving a trace in the journal', async () => {
    expect((await run(['up', '--target', 'orders', '--to', '001_a'])).code).to.equal(0);
    await workspace().write({ ...FILES, '001_a.up.sql': 'CREATE TABLE a (n bigint);' });
    expect((await run(['up', '--target', 'orders'])).code).to.equal(22);
    const changed = documentOf('fleet', await run(['fleet', 'status', '--json', '--targets', 'orders']));
    expect(changed['exit']).to.equal(22);
    const [row] = changed['targets'] as { version: string; pending: string[]; error: { problems: string[] } }[];
    expect(row).to.deep.include({ version: '001_a', pending: ['002_b'] });
    expect(row!.error.problems).to.deep.equal(['changed after it was applied: 001_a']);

    const client = new pg.Client({ connectionString: stock() });
    await client.connect();
    await workspace().write({ ...FILES, '002_b.up.sql': 'SELECT 1;' });
    expect((await run(['up', '--target', 'stock'])).code).to.equal(0);
    await client.query('TRUNCATE schema_migrations');
    await client.end();
    const lost = documentOf('fleet', await run(['fleet', 'status', '--json', '--targets', 'stock']));
    expect(lost['exit']).to.equal(22);
  });

  it('consists of every file in the directory, unless names are given', async () => {
    await mkdir(join(targets, '..2026_01_01'));
    await writeFile(join(targets, '..data'), 'a link of the kubelet');
    const { stdout } = await run(['fleet', 'status', '--json']);
    const { targets: rows } = JSON.parse(stdout) as { targets: { target: string }[] };
    expect(rows.map(({ target }) => target)).to.deep.equal(['customers.eu', 'orders', 'stock']);
    expect((await run(['fleet', 'status', '--targets-dir', '/nowhere'])).code).to.equal(20);
    expect((await run(['fleet'])).code, 'the word is needed').to.equal(20);
  });

  it('has addresses as people and tools write them; one that cannot be used is a row', async () => {
    const address = orders();
    const { hostname, port, username } = new URL(address);
    const files: Readonly<Record<string, string>> = {
      bom: `\ufeff${address}\n`,
      crlf: `${address}\r\n`,
      words: `host=${hostname} port=${port} user=${username} dbname=${new URL(address).pathname.slice(1)}`,
      empty: '',
      newline: '\n',
      neither: 's3cret',
      twice: `${address}\n${address.replace('://', '://s3cret:s3cret@')}\n`,
      nowhere: 'postgresql://shop:s3cret@no-such-host.invalid/shop',
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(targets, name), text);
    await symlink('/nonexistent/key', join(targets, 'dangling'));
    const names = [...Object.keys(files), 'dangling', 'absent'];
    const result = await run(['fleet', 'status', '--json', '--connect-wait', '0', '--targets', names.join()]);
    expect(result.code, 'a wrong address is graver than an absent one').to.equal(20);
    const rows = documentOf('fleet', result)['targets'] as { target: string; error?: { code: string } }[];
    expect(Object.fromEntries(rows.map(({ target, error }) => [target, error?.code]))).to.deep.equal({
      bom: undefined,
      crlf: undefined,
      words: undefined,
      empty: 'DATABASE_UNAVAILABLE',
      newline: 'DATABASE_UNAVAILABLE',
      neither: 'CONFIG_INVALID',
      twice: 'CONFIG_INVALID',
      nowhere: 'DATABASE_UNAVAILABLE',
      dangling: 'DATABASE_UNAVAILABLE',
      absent: 'DATABASE_UNAVAILABLE',
    });
    expect(result.stdout + result.stderr).to.not.include('s3cret');
  });

  it('may name one database twice: one run applies, the other skips', async () => {
    await writeFile(join(targets, 'twin'), orders());
    const both = await Promise.all(['orders', 'twin'].map((target) => run(['up', '--target', target])));
    for (const each of both) expectExit(each, 0);
    const history = await run(['history', '--json', '--target', 'twin']);
    const { entries } = JSON.parse(history.stdout) as { entries: { event: string; version?: string }[] };
    expect(entries.filter(({ event }) => event === 'applied').map(({ version }) => version)).to.have.members([
      '001_a',
      '002_b',
    ]);
  });

  it('ends its status with 143 on SIGTERM, also while a database is silent', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    await writeFile(join(targets, 'silent'), `postgresql://shop@127.0.0.1:${port}/shop`);
    const connected = once(silent, 'connection');
    try {
      const status = start(['fleet', 'status', '--json']);
      const [socket] = (await within(connected, 'a connection')) as [Socket];
      status.kill('SIGTERM');
      expect(documentOf('error', await status.exited)).to.include({ command: 'fleet', exit: 143 });
      socket.destroy();
    } finally {
      silent.close();
    }
  });
});
