import { expect } from 'chai';

import type { MigratorError } from '../../src/core/errors.ts';
import type { Migration } from '../../src/core/migration.ts';
import type { IndexState, Session } from '../../src/core/ports.ts';
import { analyze } from '../../src/engine/apply/analyze.ts';
import type { PlannedStep } from '../../src/engine/apply/planned-step.ts';
import { resume, withProgress } from '../../src/engine/apply/resume.ts';
import { FakeDatabase } from '../support/fakes/database.ts';
import { fakeParser, migration, stepOf } from '../support/fakes/files.ts';
import { failure, runner } from '../support/fakes/run.ts';
import { FakeServer } from '../support/fakes/server.ts';
import { Recorder } from '../support/recorder.ts';

const LIMITS = { lockTimeoutMs: 0, statementTimeoutMs: 0 };
const FIRST = 'CREATE TABLE a';
const INDEX = 'CREATE INDEX CONCURRENTLY a_v ON a';
const OTHER = 'CREATE INDEX CONCURRENTLY a_w ON a';
const file = (...statements: readonly string[]): Migration => migration('001_a', statements.join('; '));

describe('resuming a version in part', () => {
  let server: FakeServer;
  let session: Session;
  let recorder: Recorder;

  beforeEach(async () => {
    server = new FakeServer();
    recorder = new Recorder();
    session = await new FakeDatabase(server).open(runner(), new AbortController().signal);
    await session.lock.tryAcquire();
    await session.history.ensureTables();
  });

  async function planned(one: Migration): Promise<PlannedStep> {
    const { plan } = await analyze(one.up, 'up', fakeParser);
    const [step] = await withProgress(
      [{ step: stepOf(one), plan, losses: [] }],
      await session.journal.inPart(),
      fakeParser,
    );
    return step!;
  }

  /** Runs this file until the run dies in the second statement. */
  async function dies(one: Migration, index?: IndexState): Promise<void> {
    const { step, plan } = await planned(one);
    const [first, second] = plan.mode === 'statements' ? plan.units : [];
    await session.executor.statement(step, first!, LIMITS);
    await session.executor.statementAlone(step, second!, LIMITS).catch(() => undefined);
    if (index) server.setIndex('a_v', index);
  }

  /** The number of finished statements, or the error code. */
  async function goesOn(one: Migration): Promise<number | string> {
    const work = planned(one).then((step) => resume(step, { session, ports: { reporter: recorder } }));
    return await work.then(
      ({ length }) => length,
      (error: unknown) => (error as MigratorError).code,
    );
  }

  const index = (): IndexState => server.contents.indexes.get('a_v') ?? 'absent';

  const cases: [
    name: string,
    was: Migration,
    state: IndexState | undefined,
    now: Migration,
    expected: number | string,
    left: IndexState,
  ][] = [
    ['a build with a valid index', file(FIRST, INDEX), 'valid', file(FIRST, INDEX), 2, 'valid'],
    [
      'an INVALID index, which is dropped when the build runs again',
      file(FIRST, INDEX),
      'invalid',
      file(FIRST, INDEX),
      1,
      'invalid',
    ],
    ['a build that never started', file(FIRST, INDEX), 'absent', file(FIRST, INDEX), 1, 'absent'],
    [
      'a build with a changed name and an INVALID index',
      file(FIRST, INDEX),
      'invalid',
      file(FIRST, OTHER),
      1,
      'absent',
    ],
    ['a build with a changed name that never started', file(FIRST, INDEX), 'absent', file(FIRST, OTHER), 1, 'absent'],
    [
      'a build with a changed name and a valid index',
      file(FIRST, INDEX),
      'valid',
      file(FIRST, OTHER),
      'HISTORY_CONFLICT',
      'valid',
    ],
    [
      'a build with a changed name that another session is running',
      file(FIRST, INDEX),
      'being built',
      file(FIRST, OTHER),
      'CONTENTION',
      'being built',
    ],
    ['a build that moved in the file', file(FIRST, INDEX), 'invalid', file(FIRST, OTHER, INDEX), 1, 'absent'],
    [
      'a build that was removed from the file',
      file(FIRST, INDEX, 'VACUUM'),
      'invalid',
      file(FIRST, 'VACUUM'),
      1,
      'absent',
    ],
    [
      'a build in a file that is one transaction now',
      file(FIRST, INDEX),
      'invalid',
      file(FIRST, 'INSERT'),
      'HISTORY_CONFLICT',
      'absent',
    ],
    ['an edited statement that is safe to repeat', file(FIRST, 'VACUUM'), undefined, file(FIRST, INDEX), 1, 'absent'],
    [
      'a statement with an unknown outcome',
      file(FIRST, 'CREATE DATABASE x'),
      undefined,
      file(FIRST, 'CREATE DATABASE x'),
      'MIGRATION_INCOMPLETE',
      'absent',
    ],
    [
      'an edited statement with an unknown outcome',
      file(FIRST, 'CREATE DATABASE x'),
      undefined,
      file(FIRST, 'VACUUM'),
      'MIGRATION_INCOMPLETE',
      'absent',
    ],
    [
      'a statement with an unknown outcome in a file that is one transaction now',
      file(FIRST, 'CREATE DATABASE x'),
      undefined,
      file('INSERT'),
      'MIGRATION_INCOMPLETE',
      'absent',
    ],
    [
      'an edited finished statement',
      file(FIRST, 'VACUUM'),
      undefined,
      file('CREATE TABLE b', 'VACUUM'),
      'HISTORY_CONFLICT',
      'absent',
    ],
  ];
  for (const [name, was, state, now, expected, left] of cases) {
    it(name, async () => {
      await dies(was, state);
      expect(await goesOn(now)).to.equal(expected);
      expect(index()).to.equal(left);
      // A repeated resume has the same result.
      expect(await goesOn(now)).to.equal(expected);
    });
  }

  it('reports an unknown outcome when the text of the started statement is not stored', async () => {
    await dies(file(FIRST, INDEX), 'invalid');
    server.startedSql.clear();
    expect(await goesOn(file(FIRST, INDEX)), 'the file has it').to.equal(1);
    expect(await goesOn(file(FIRST, OTHER))).to.equal('MIGRATION_INCOMPLETE');
  });

  it('names both ways to continue when the file changed', async () => {
    await dies(file(FIRST, 'VACUUM'));
    const step = await planned(file('CREATE TABLE b', 'VACUUM'));
    const error = await failure<MigratorError>(resume(step, { session, ports: { reporter: recorder } }));
    expect(error.hint).to.include('lockstep up').and.include('repair --only 001_a --reset');
  });
});
