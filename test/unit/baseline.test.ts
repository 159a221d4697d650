import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { baseline, type BaselineResult } from '../../src/engine/commands/baseline.ts';
import { commandFakes } from '../support/fakes/command.ts';
import { migrations, source } from '../support/fakes/files.ts';
import { failure, runner } from '../support/fakes/run.ts';

const FILES = migrations('001_a', '002_b', '003_c', '10_d');

describe('baseline', () => {
  let { clock, server, database, recorder, controller } = commandFakes();
  beforeEach(() => {
    ({ clock, server, database, recorder, controller } = commandFakes());
  });

  function run(to: string, lockWaitMs = 600_000): Promise<BaselineResult> {
    return baseline(
      { runner: runner('baseline'), connectWaitMs: 60_000, lockWaitMs, to, signal: controller.signal },
      { database, source: source(FILES), clock, reporter: recorder },
    );
  }

  const calls = (): string[] => server.calls.map((call) => call.replace(/^\d+ /, ''));

  it('records all versions up to the target without running them', async () => {
    expect(await run('003_c')).to.deep.equal({ recorded: ['001_a', '002_b', '003_c'], skipped: [], waitedMs: 0 });
    expect([...server.contents.history!.values()].map(({ version, checksum }) => [version, checksum])).to.deep.equal(
      FILES.slice(0, 3).map(({ version, up }) => [version, up.checksum]),
    );
    expect([...server.contents.tables]).to.deep.equal([]);
    expect(server.contents.journal.map(({ event, version }) => `${event} ${version}`)).to.deep.equal(
      ['001_a', '002_b', '003_c'].map((version) => `baselined ${version}`),
    );
    expect(recorder.of('migration.baselined').map(({ version }) => version)).to.deep.equal(['001_a', '002_b', '003_c']);
    expect(server.holder).to.equal(undefined);
    expect(database.opened.map(({ closed }) => closed)).to.deep.equal([true]);
  });

  it('skips versions that the history contains', async () => {
    await run('001_a');
    expect(await run('10_d')).to.deep.include({ recorded: ['002_b', '003_c', '10_d'], skipped: ['001_a'] });
  });

  it('takes no lock when the history contains every version', async () => {
    await run('002_b');
    server.calls.length = 0;
    expect(await run('002_b')).to.deep.equal({ recorded: [], skipped: ['001_a', '002_b'], waitedMs: 0 });
    expect(calls()).to.deep.equal(['check', 'check history']);
  });

  it('refuses a version that does not exist, before it connects', async () => {
    const error = await failure<MigratorError>(run('003_x'));
    expect(error).to.include({ code: 'CONFIG_INVALID', exit: 20 });
    expect(error.hint).to.include('003_c');
    expect(database.attempts).to.equal(0);
  });

  it('waits for the lock holder, then reads the history again', async () => {
    const holder = server.stranger('lockstep up 1.0.0 pod-z');
    server.holder = holder;
    const work = run('002_b');
    await clock.advance(3_000);
    server.contents = { ...server.contents, history: new Map([['001_a', { version: '001_a' }]]) };
    server.dismiss(holder);
    const { recorded, skipped, waitedMs } = await clock.until(work);
    expect({ recorded, skipped }).to.deep.equal({ recorded: ['002_b'], skipped: ['001_a'] });
    expect(waitedMs).to.be.within(3_000, 4_000);
  });

  it('waits for the lock holder even when the history contains every version, because the holder may remove some', async () => {
    await run('002_b');
    const holder = server.stranger('lockstep down 1.0.0 pod-z');
    server.holder = holder;
    const work = run('002_b');
    await clock.advance(3_000);
    server.forget('002_b');
    server.dismiss(holder);
    expect((await clock.until(work)).recorded).to.deep.equal(['002_b']);
  });

  it('gives up after the lock wait', async () => {
    server.holder = server.stranger();
    expect(await failure<MigratorError>(clock.until(run('001_a', 5_000)))).to.include({ code: 'LOCK_TIMEOUT' });
    expect(server.contents.history).to.equal(undefined);
  });

  it('fails on a standby', async () => {
    server.writesRefused = 'standby';
    expect(await failure<MigratorError>(clock.until(run('001_a')))).to.include({ code: 'DATABASE_UNAVAILABLE' });
  });

  it('ends with the reason of the abort signal and records nothing', async () => {
    const reason = new MigratorError('INTERRUPTED', 'SIGTERM');
    server.turn = async (label) => {
      if (label.endsWith('history.baseline')) controller.abort(reason);
    };
    // The statement fails with the cancel error; the user must see the abort reason instead.
    expect(await failure(run('001_a'))).to.equal(reason);
    expect(server.contents.history?.size).to.equal(0);
    expect(server.holder).to.equal(undefined);
  });
});
