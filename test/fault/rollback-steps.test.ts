/**
 * A rollback that is cut off or killed at each of its messages: the next one completes it, and nothing is undone twice.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { runMigrations, type MigratorError } from '../../src/index.ts';
import { startCli } from '../support/cli.ts';
import { versionsOf, type Files } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { WireProxy, type ProxyRule } from '../support/wire-proxy.ts';

const OLD_FILES: Files = {
  '001_base.up.sql': `CREATE TABLE items (id int PRIMARY KEY, kind int);
INSERT INTO items SELECT n, n % 7 FROM generate_series(1, 100) n;
CREATE TABLE tally (n int);
INSERT INTO tally VALUES (0);`,
};

/** Each way in which a down script runs; each script counts its runs. */
const FILES: Files = {
  ...OLD_FILES,
  '002_column.up.sql': 'ALTER TABLE items ADD COLUMN price int;',
  '002_column.down.sql': 'ALTER TABLE items DROP COLUMN price;\nUPDATE tally SET n = n + 1;',
  '003_index.up.sql': 'CREATE INDEX CONCURRENTLY items_kind ON items (kind);',
  '003_index.down.sql': 'DROP INDEX CONCURRENTLY items_kind;',
  '004_mixed.up.sql': 'CREATE TABLE extra (id int);',
  '004_mixed.down.sql': `-- lockstep: no-transaction
UPDATE tally SET n = n + 10;
VACUUM items;
CREATE INDEX CONCURRENTLY items_back ON items (kind, id);
DROP TABLE extra;
UPDATE tally SET n = n + 100;`,
};
const VERSIONS = versionsOf(FILES);
const GONE = VERSIONS.slice(1);
/** The possible results of a cut connection. */
const LOST = ['DATABASE_UNAVAILABLE', 'OUTCOME_UNKNOWN'];

describe('a rollback from stored SQL', function () {
  this.timeout(600_000);
  const workspace = useWorkspace();
  let proxy: WireProxy;
  let old: string;

  beforeEach(async () => {
    old = join(workspace().dir, 'old');
    await mkdir(old);
    for (const [name, text] of Object.entries(OLD_FILES)) await writeFile(join(old, name), text);
    await workspace().write(FILES);
    proxy = await WireProxy.start(workspace().url);
    workspace().defer(() => proxy.stop());
  });

  /** `ok`, or the code of the error. */
  function run(direction: 'up' | 'down', more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const { url: connectionString, lockKey, dir } = workspace();
    return runMigrations({ connectionString, lockKey, dir, ...more, direction }).then(
      () => 'ok',
      (error: unknown) => (error as MigratorError).code,
    );
  }

  const rollBack = (more: Readonly<Record<string, unknown>> = {}): Promise<string> =>
    run('down', { dir: old, to: '001_base', release: 'shop/8@1', reason: 'it is slow', ...more });

  /** Applies everything, as if for the first time. */
  async function begin(round: number): Promise<void> {
    await workspace().query('DROP INDEX IF EXISTS items_back');
    if (round > 0) await workspace().query('UPDATE tally SET n = 0');
    expect(await run('up', { release: `shop/${100 + round}@2` })).to.equal('ok');
    await workspace().query('DELETE FROM schema_migrations_journal WHERE direction = $1', ['down']);
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
  }

  async function expectRolledBackOnce(round: string): Promise<void> {
    expect(await workspace().versions(), round).to.deep.equal(['001_base']);
    expect(await workspace().query('SELECT n FROM tally'), round).to.deep.equal([{ n: 111 }]);
    expect(await workspace().journalCounts('rolled back'), round).to.deep.equal(
      Object.fromEntries(GONE.map((version) => [version, 1])),
    );
    const [left] = await workspace().query(
      `SELECT to_regclass('items_kind') AS kind, to_regclass('extra') AS extra, to_regclass('items_back') IS NOT NULL AS back,
              EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname = 'price') AS price`,
    );
    expect(left, round).to.deep.equal({ kind: null, extra: null, back: true, price: false });
    expect(await workspace().invalidIndexes(), round).to.deep.equal([]);
    const held = await workspace().query(
      `SELECT version FROM schema_migrations_journal WHERE event = 'rolled back' AND hold->>'reason' = 'it is slow' ORDER BY 1`,
    );
    expect(held, round).to.deep.equal(GONE.map((version) => ({ version })));
    expect(await run('up', { release: 'shop@2' }), `${round}: held`).to.equal('HISTORY_CONFLICT');
  }

  /** The number of messages that a rollback sends after login. */
  async function countMessages(): Promise<number> {
    await begin(0);
    const before = proxy.queries.length;
    expect(await rollBack({ connectionString: proxy.url })).to.equal('ok');
    await expectRolledBackOnce('undisturbed');
    const count = proxy.queries.length - before;
    expect(count).to.be.greaterThan(20);
    return count;
  }

  /** Calls `strike` once, at message `at` after login. */
  function strikeAt(at: number, strike: () => ReturnType<ProxyRule>): void {
    const before = proxy.queries.length;
    let struck = false;
    proxy.rule = () => {
      if (struck || proxy.queries.length - before !== at) return 'pass';
      struck = true;
      return strike();
    };
  }

  for (const action of ['cut', 'cut-after'] as const) {
    it(`whose connection is cut ${action === 'cut' ? 'before' : 'after'} each of its messages is completed by the next one`, async () => {
      const count = await countMessages();
      for (let at = 1; at <= count; at += 1) {
        const round = `${action} at message ${at} of ${count}`;
        await begin(at);
        strikeAt(at, () => action);
        expect(await rollBack({ connectionString: proxy.url }), round).to.be.oneOf(['ok', ...LOST]);
        proxy.rule = () => 'pass';
        expect(await rollBack(), `${round}, the next`).to.equal('ok');
        await expectRolledBackOnce(round);
      }
    });
  }

  it('that is killed at each of its messages is completed by the next one', async () => {
    const count = await countMessages();
    const env = {
      ...workspace().env,
      DATABASE_URL: proxy.url,
      LOCKSTEP_DIR: old,
      LOCKSTEP_RELEASE: 'shop/8@1',
      LOCKSTEP_REASON: 'it is slow',
    };
    for (let at = 1; at <= count; at += 1) {
      const round = `SIGKILL at message ${at} of ${count}`;
      await begin(at);
      strikeAt(at, () => {
        job.kill('SIGKILL');
        return 'pass';
      });
      const job = startCli(['down', '--to', '001_base'], { env });
      const { code, signal } = await job.exited;
      expect(signal ?? code, round).to.be.oneOf(['SIGKILL', 0]);
      proxy.rule = () => 'pass';
      expect(await rollBack(), `${round}, the next`).to.equal('ok');
      await expectRolledBackOnce(round);
    }
  });
});
