/** Restarting replicas do not retry a failed migration at once: the journal pauses it for a while. */
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { file, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { runInProcess, type InProcessResult } from '../support/in-process.ts';

const REPLICAS = 20;
const GOOD = file(1, 'orders', 'CREATE TABLE orders (id int);\nCREATE SEQUENCE table_locks;');
/** Each try locks the table for its duration. A sequence is not rolled back, so it counts all tries. */
const BAD = file(
  2,
  'bad',
  `ALTER TABLE orders ADD COLUMN total int;\nSELECT nextval('table_locks');\nINSERT INTO orders SELECT 1/0;`,
);
const POD = 'web@1';
const JOB = 'web/3@1';

/** From the first failure on, in seconds, with runs at every half minute: 30 s, 1 min, 2 min and 4 min lie between. */
const TRIES_AT = [0, 30, 90, 210, 450];

describe('a migration that fails in a release', () => {
  const workspace = useWorkspace();
  beforeEach(async () => {
    await workspace().write(GOOD);
    expect((await runInProcess(['up'], workspace())).code).to.equal(0);
    await workspace().write(BAD);
  });

  const releaseOf = (release: string, pod = 'web-1'): { env: Record<string, string> } => ({
    env: { ...workspace().env, LOCKSTEP_RELEASE: release, LOCKSTEP_POD: pod },
  });

  const up = (release: string, ...more: readonly string[]): Promise<InProcessResult> =>
    runInProcess(['up', ...more], releaseOf(release));

  /** How often the migration ran, and so locked its table. */
  async function tries(): Promise<number> {
    return (await workspace().journalCounts('started'))['002_bad'] ?? 0;
  }

  /** How often its table was locked, independent of the journal. */
  async function tableLocks(): Promise<number> {
    const [found] = await workspace().query<{ count: number }>(
      'SELECT CASE WHEN is_called THEN last_value ELSE 0 END::int AS count FROM table_locks',
    );
    return found!.count;
  }

  /** Moves everything in the journal back in time, by the server's clock. */
  async function pass(seconds: number): Promise<void> {
    await workspace().query(`UPDATE schema_migrations_journal SET at = at - make_interval(secs => $1)`, [seconds]);
  }

  async function serverTime(): Promise<Date> {
    const [found] = await workspace().query<{ now: Date }>('SELECT now()');
    return found!.now;
  }

  /**
   * Moves everything in the round that started then to its start, and that start back in time, independent of the
   * test's speed.
   */
  async function endRound(beganAt: Date, seconds: number): Promise<Date> {
    const endedAt = await serverTime();
    await workspace().query(
      'UPDATE schema_migrations_journal SET at = least(at, $1) + ($2::timestamptz - $1) - make_interval(secs => $3)',
      [beganAt, endedAt, seconds],
    );
    return endedAt;
  }

  async function lastFailure(): Promise<Date> {
    const [found] = await workspace().query<{ at: Date }>(
      `SELECT max(at) AS at FROM schema_migrations_journal WHERE event = 'failed'`,
    );
    return found!.at;
  }

  function expectPaused(result: InProcessResult): void {
    expect(result.code, result.stderr).to.equal(40);
    expect(result.stderr)
      .to.include('the next try is not before')
      .and.include('--retry-now')
      .and.include('division by zero');
  }

  async function expectTriedBy(run: () => Promise<InProcessResult>): Promise<void> {
    const before = [await tries(), await tableLocks()];
    const { code, stderr } = await run();
    expect(code, stderr).to.equal(40);
    expect(stderr).to.not.include('the next try');
    expect([await tries(), await tableLocks()]).to.deep.equal(before.map((count) => count + 1));
  }

  it('is tried five times when twenty replicas restart every half minute for ten minutes', async function () {
    // Four hundred runs.
    this.timeout(240_000);
    const triesAt: number[] = [];
    let runs = 0;
    let advisoryLocks = 0;
    let roundAt = await serverTime();
    for (let second = 0; second <= 600; second += 30) {
      const before = await tableLocks();
      const results = await Promise.all(
        Array.from({ length: REPLICAS }, (_, index) => runInProcess(['up'], releaseOf(POD, `web-${index}`))),
      );
      for (const { code, stderr } of results) expect(code, stderr).to.equal(40);
      const locked = results.filter(({ stderr }) => stderr.includes('"lock.acquired"')).length;
      const more = (await tableLocks()) - before;
      expect(more, `tries at ${second} s`).to.be.at.most(1);
      if (more === 1) triesAt.push(second);
      else expect(locked, `runners that took the lock at ${second} s, while the migration was paused`).to.equal(0);
      runs += results.length;
      advisoryLocks += locked;
      roundAt = await endRound(roundAt, 30);
    }
    console.log(
      `        ${runs} runs locked the table ${await tableLocks()} times, and took the advisory lock ${advisoryLocks} times`,
    );
    expect(await tries()).to.equal(TRIES_AT.length);
    expect(triesAt).to.deep.equal(TRIES_AT);
    expect(await workspace().journalCounts('failed')).to.deep.equal({ '002_bad': TRIES_AT.length });
    expect(await workspace().versions()).to.deep.equal(versionsOf(GOOD));
    expect(await workspace().lockSessions()).to.deep.equal([]);
  });

  it('is paused for 30 s first, then twice as long each time, up to 10 min', async () => {
    const pauses: number[] = [];
    for (let failures = 1; failures <= 7; failures += 1) {
      await expectTriedBy(() => up(POD));
      const paused = await up(POD);
      expectPaused(paused);
      const next = /not before (\S+Z)/.exec(paused.stderr)?.[1] ?? '';
      pauses.push(Math.round((Date.parse(next) - (await lastFailure()).getTime()) / 5_000) * 5);
      // Just before the end of the pause: still paused; and then just after it.
      await pass(pauses.at(-1)! - 10);
      expectPaused(await up(POD));
      await pass(11);
    }
    expect(pauses).to.deep.equal([30, 60, 120, 240, 480, 600, 600]);
  });

  it('is tried once when twenty processes start at the same moment', async () => {
    const results = await Promise.all(
      Array.from({ length: REPLICAS }, (_, index) => runCli(['up'], releaseOf(POD, `web-${index}`))),
    );
    for (const result of results) expectExit(result, 40);
    expect(await tries()).to.equal(1);
    expect(await tableLocks()).to.equal(1);
    const again = await runCli(['up'], releaseOf(POD));
    expectExit(again, 40);
    expectPaused({ code: 40, stdout: again.stdout, stderr: again.stderr });
    expect(await tries()).to.equal(1);
  });

  describe('is tried at once', () => {
    beforeEach(async () => {
      await expectTriedBy(() => up(POD));
      expectPaused(await up(POD));
    });

    it('by a Job whose release has a revision, every time', async () => {
      await expectTriedBy(() => up(JOB));
      await expectTriedBy(() => up(JOB));
    });

    it('with --retry-now', () => expectTriedBy(() => up(POD, '--retry-now')));

    it('by another release', () => expectTriedBy(() => up('web@2')));

    it('without a release, as in development', () => expectTriedBy(() => runInProcess(['up'], workspace())));

    it('by a person at a terminal', () =>
      expectTriedBy(() => runInProcess(['up'], { ...releaseOf(POD), terminal: true })));

    it('when the file has changed; the next pause is 30 s again', async () => {
      await workspace().write(
        file(
          2,
          'bad',
          `ALTER TABLE orders ADD COLUMN total int;\nSELECT nextval('table_locks');\nINSERT INTO orders SELECT 2/0;`,
        ),
      );
      await expectTriedBy(() => up(POD));
      expectPaused(await up(POD));
      await pass(31);
      await expectTriedBy(() => up(POD));
    });

    it('and is applied when the file is corrected', async () => {
      await workspace().write(file(2, 'bad', 'ALTER TABLE orders ADD COLUMN total int;'));
      const { code, stderr } = await up(POD);
      expect(code, stderr).to.equal(0);
      expect(await workspace().versions()).to.deep.equal(['001_orders', '002_bad']);
    });
  });

  it('does not pause commands that only read', async () => {
    await expectTriedBy(() => up(POD));
    expect((await up(POD, '--dry-run')).code).to.equal(0);
    expect((await runInProcess(['status', '--exit-code'], releaseOf(POD))).code).to.equal(33);
    expect((await runInProcess(['wait', '--timeout', '0'], releaseOf(POD))).code).to.equal(33);
  });

  it('is paused with 32 when it waits for a row lock, and --retry-now tries it at once', async () => {
    const writer = await workspace().client();
    await workspace().query('CREATE TABLE held AS SELECT 1 AS id');
    await writer.query('BEGIN; UPDATE held SET id = 2');
    await workspace().write(file(2, 'bad', `SET LOCAL lock_timeout = '20ms';\nUPDATE held SET id = 3;`));
    expect((await up(POD)).code).to.equal(32);
    await writer.query('ROLLBACK');
    const paused = await up(POD);
    expect(paused.code).to.equal(32);
    expect(paused.stderr).to.include('the next try is not before').and.include('55P03');
    expect((await up(POD, '--retry-now')).code).to.equal(0);
  });
});
