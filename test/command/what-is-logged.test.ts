/** docs/logs.md describes correctly which passwords appear in logs and in the journal. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { ownServer } from '../support/server.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('docs/logs.md', () => {
  let server: Postgres;
  let blocks: string[] = [];
  let folder = '';
  const workspace = useWorkspace(() => server.url);

  before(async () => {
    server = await ownServer();
    folder = await mkdtemp(join(tmpdir(), 'lockstep-logs-'));
    const page = await readFile(resolve(import.meta.dirname, '../../docs/logs.md'), 'utf8');
    blocks = [...page.matchAll(/^ *```sql\n(.*?)^ *```$/gms)].map(([, text = '']) => text.trim());
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
    await server.stop();
  });

  /** The output of a run that fails in this line: the log, and everything else. */
  async function afterFailureOf(line: string): Promise<{ log: string; others: string }> {
    await workspace().write({ '001_a.up.sql': `${line} SELECT nope;` });
    const env = { ...workspace().env, LOCKSTEP_TERMINATION_LOG: join(folder, 'termination') };
    const json = await runCli(['up', '--json'], { env });
    expectExit(json, 40);
    const text = await runCli(['up', '--log-format', 'text'], { env });
    expectExit(text, 40);
    const journal = await workspace().query('SELECT * FROM schema_migrations_journal');
    const others = [
      json.stdout,
      text.stdout,
      await readFile(env.LOCKSTEP_TERMINATION_LOG, 'utf8'),
      JSON.stringify(journal),
    ].join('\n');
    return { log: json.stderr + text.stderr, others };
  }

  it('lists as masked only what is masked', async () => {
    const lines = blocks[0]!.split('\n');
    expect(lines.length).to.be.at.least(7);
    for (const line of lines) {
      const { log, others } = await afterFailureOf(line);
      expect(log, line).to.include('***').and.to.not.include('hunter2');
      expect(others, line).to.not.include('hunter2');
    }
  });

  it('lists correctly the secrets that appear in the log and nowhere else', async () => {
    const lines = blocks[1]!.split('\n');
    expect(lines.length).to.be.at.least(2);
    for (const line of lines) {
      const { log, others } = await afterFailureOf(line);
      expect(log, line).to.include('hunter2');
      expect(others, line).to.not.include('hunter2');
    }
  });

  it("describes down files in the journal unmasked, and failing messages in the server's log unless the role's settings prevent it", async () => {
    const down = "ALTER ROLE report PASSWORD 'of the down file';\n";
    await workspace().write({ '001_a.up.sql': 'SELECT 1;', '001_a.down.sql': down });
    expectExit(await runCli(['up'], workspace()), 0);
    expect(
      await workspace().query("SELECT down_sql FROM schema_migrations_journal WHERE event = 'applied'"),
    ).to.deep.equal([{ down_sql: down }]);

    const said = async (secret: string, url: string): Promise<string> => {
      const before = (await readFile(server.logFile, 'utf8')).length;
      await workspace().write({
        '002_b.up.sql': `SELECT 'PASSWORD ${secret}'; SELECT 1 / 0;`,
        '002_b.down.sql': `SELECT 'down ${secret}';`,
      });
      expectExit(await runCli(['up'], { env: { ...workspace().env, DATABASE_URL: url } }), 40);
      return (await readFile(server.logFile, 'utf8')).slice(before);
    };
    expect(await said('hunter1', workspace().url))
      .to.include("'PASSWORD hunter1'")
      .and.to.include('down hunter1');

    await workspace().query(`CREATE ROLE shop_owner LOGIN SUPERUSER`);
    await workspace().query(blocks.at(-1)!);
    const url = new URL(workspace().url);
    url.username = 'shop_owner';
    expect(await said('hunter2', url.href))
      .to.include('division by zero')
      .and.to.not.include('hunter2');
  });
});
