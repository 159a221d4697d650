/** The connection breaks at every single message of a run: the run reports it, and the next run completes. */
import { expect } from 'chai';

import { runMigrations, type Outcome } from '../../../src/index.ts';
import { MigratorError } from '../../../src/core/errors.ts';
import { file, versionsOf } from '../../support/migrations.ts';
import { testServer } from '../../support/server.ts';
import { WireProxy, type ProxyRule } from '../../support/wire-proxy.ts';
import { useWorkspace, Workspace } from '../../support/workspace.ts';

const FILES = {
  ...file(1, 'table', 'CREATE TABLE counted (n int);\nINSERT INTO counted VALUES (1);'),
  ...file(2, 'index', 'CREATE INDEX CONCURRENTLY counted_n ON counted (n);\nINSERT INTO counted VALUES (2);'),
  ...file(3, 'last', 'INSERT INTO counted VALUES (3);'),
};
const VERSIONS = versionsOf(FILES);

/** Runs through a proxy with this rule, and returns the run's error, if any. */
async function runThrough(
  { url, lockKey, dir, defer }: Workspace,
  rule: ProxyRule,
  signal?: AbortSignal,
): Promise<{ proxy: WireProxy; error: unknown }> {
  const proxy = await WireProxy.start(url);
  defer(() => proxy.stop());
  proxy.rule = rule;
  const run = runMigrations({ connectionString: proxy.url, lockKey, dir, direction: 'up', ...(signal && { signal }) });
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { proxy, error };
}

function runPlainly({ url, lockKey, dir }: Workspace): Promise<Outcome> {
  return runMigrations({ connectionString: url, lockKey, dir, direction: 'up' });
}

/** Works before the tables exist, too. */
async function appliedIn(workspace: Workspace): Promise<string[]> {
  const [table] = await workspace.query(`SELECT FROM pg_class WHERE oid = to_regclass('schema_migrations')`);
  return table ? await workspace.versions() : [];
}

async function expectAppliedOnce(workspace: Workspace): Promise<void> {
  expect(await workspace.versions()).to.deep.equal(VERSIONS);
  expect(await workspace.journalCounts('applied')).to.deep.equal(
    Object.fromEntries(VERSIONS.map((version) => [version, 1])),
  );
  expect(await workspace.query('SELECT n FROM counted ORDER BY n')).to.deep.equal([{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(await workspace.invalidIndexes()).to.deep.equal([]);
  expect(await workspace.lockSessions()).to.deep.equal([]);
}

describe('a broken connection', () => {
  const workspace = useWorkspace();

  for (const [action, when] of [
    ['cut', 'before'],
    ['cut-after', 'after'],
  ] as const) {
    it(`${when} any message of a run: the next run completes, and nothing is applied twice`, async function () {
      const { url } = await testServer(this);
      await workspace().write(FILES);
      const { proxy } = await runThrough(workspace(), () => 'pass');
      const { messages } = proxy;
      expect(messages.length).to.be.greaterThan(10);
      for (const [index, { text }] of messages.entries()) {
        const place = await Workspace.create(url);
        const what = `message ${index} of ${messages.length}: ${text.slice(0, 300)}`;
        try {
          await place.write(FILES);
          const { error } = await runThrough(place, (_, now) => (now === index ? action : 'pass'));
          // Connecting is retried, and losing the Terminate message has no effect.
          if (error !== undefined)
            expect((error as MigratorError).code, what).to.be.oneOf(['DATABASE_UNAVAILABLE', 'OUTCOME_UNKNOWN']);
          await runPlainly(place);
          await expectAppliedOnce(place);
        } catch (cause) {
          throw new Error(`${what}: ${String(cause)}`, { cause });
        } finally {
          await place.close({ keep: false });
        }
      }
    });
  }

  it('that delivers nothing in the middle of a migration: a signal still ends the run in seconds', async () => {
    await workspace().write(FILES);
    const ended = new AbortController();
    const interrupted = new MigratorError('INTERRUPTED', 'interrupted', { signal: 'SIGTERM' });
    let abortedAt = 0;
    const rule: ProxyRule = ({ text }) => {
      if (!text.includes('CREATE TABLE counted')) return 'pass';
      abortedAt = performance.now();
      ended.abort(interrupted);
      return 'silent';
    };
    const { proxy, error } = await runThrough(workspace(), rule, ended.signal);
    expect((error as MigratorError).code).to.equal('INTERRUPTED');
    expect(performance.now() - abortedAt, 'milliseconds from the signal to the end').to.be.lessThan(5_000);
    // The network recovers and delivers the end of the connection.
    proxy.cut();
    await runPlainly(workspace());
    await expectAppliedOnce(workspace());
  });
});

describe('a signal', () => {
  const workspace = useWorkspace();

  it('at any message ends the run in seconds; it reports what is applied, and the next run completes', async function () {
    const { url } = await testServer(this);
    await workspace().write(FILES);
    const { proxy } = await runThrough(workspace(), () => 'pass');
    let interruptions = 0;
    for (const [index, { text }] of proxy.messages.entries()) {
      const place = await Workspace.create(url);
      const what = `message ${index} of ${proxy.messages.length}: ${text.slice(0, 300)}`;
      try {
        await place.write(FILES);
        const ended = new AbortController();
        let abortedAt = Infinity;
        const rule: ProxyRule = (_, now) => {
          if (now === index) {
            abortedAt = performance.now();
            ended.abort(new MigratorError('INTERRUPTED', 'interrupted', { signal: 'SIGTERM' }));
          }
          return 'pass';
        };
        const { error } = await runThrough(place, rule, ended.signal);
        expect(performance.now() - abortedAt, what).to.be.lessThan(5_000);
        if (error !== undefined) {
          expect((error as MigratorError).code, what).to.equal('INTERRUPTED');
          const told = (error as MigratorError).details.outcome?.done.map(({ version }) => version) ?? [];
          expect(told, what).to.deep.equal(await appliedIn(place));
          interruptions += 1;
        }
        expect(await place.lockSessions(), what).to.deep.equal([]);
        await runPlainly(place);
        await expectAppliedOnce(place);
      } catch (cause) {
        throw new Error(`${what}: ${String(cause)}`, { cause });
      } finally {
        await place.close({ keep: false });
      }
    }
    // All messages except the last few, which follow the last commit.
    expect(interruptions).to.be.greaterThan(proxy.messages.length / 2);
  });
});
