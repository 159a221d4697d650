import { expect } from 'chai';
import fc from 'fast-check';

import { ERRORS, MigratorError, type ErrorCode } from '../../src/core/errors.ts';
import type { Direction } from '../../src/core/migration.ts';
import { MAX_MESSAGE_BYTES, terminationMessage, type Ending } from '../../src/output/termination-message.ts';

function outcomeOf({
  done = [] as readonly string[],
  pending = [] as readonly string[],
  direction = 'up' as Direction,
}): NonNullable<Ending['outcome']> {
  return { done: done.map((version) => ({ version, direction, durationMs: 1 })), pending, dryRun: false };
}

function parsed(ending: Ending): Record<string, unknown> {
  const text = terminationMessage(ending);
  expect(text).to.not.include('\n');
  expect(Buffer.byteLength(text)).to.be.at.most(MAX_MESSAGE_BYTES);
  return JSON.parse(text) as Record<string, unknown>;
}

describe('terminationMessage', () => {
  it('of success', () => {
    expect(parsed({ command: 'up', outcome: outcomeOf({ done: ['1_a'] }), durationMs: 12.4 })).to.deep.equal({
      exit: 0,
      command: 'up',
      appliedCount: 1,
      applied: ['1_a'],
      pendingCount: 0,
      pending: [],
      durationMs: 12,
    });
  });

  it('names the target of a fleet', () => {
    const message = parsed({ command: 'up', target: 'eu-1', outcome: outcomeOf({}), durationMs: 1 });
    expect(message).to.include({ target: 'eu-1', exit: 0 });
  });

  it('of a rollback', () => {
    const message = parsed({
      command: 'down',
      outcome: outcomeOf({ done: ['2_b', '1_a'], pending: ['1_a', '2_b'], direction: 'down' }),
      durationMs: 1,
    });
    expect(message).to.deep.include({
      rolledBackCount: 2,
      rolledBack: ['2_b', '1_a'],
      appliedCount: 0,
      pending: ['1_a', '2_b'],
    });
  });

  it('of a failed migration: location, reason and next step, without rows and lines of SQL', () => {
    const error = new MigratorError('MIGRATION_FAILED', '2_b.up.sql failed', {
      version: '2_b',
      location: { file: '2_b.up.sql', line: 3, column: 1, text: 'row 1' },
      server: { sqlstate: '23505', message: 'duplicate key\nrow 2', detail: 'row 3', hint: 'row 4', where: 'row 5' },
      problems: ['statement 2 of the file'],
      hint: 'correct the file',
    });
    expect(
      parsed({ command: 'up', outcome: outcomeOf({ done: ['1_a'], pending: ['2_b'] }), error, durationMs: 5 }),
    ).to.deep.equal({
      exit: 40,
      code: 'MIGRATION_FAILED',
      command: 'up',
      summary: '2_b.up.sql failed',
      next: 'correct the file',
      failed: { version: '2_b', file: '2_b.up.sql', line: 3, sqlstate: '23505', message: 'duplicate key' },
      appliedCount: 1,
      applied: ['1_a'],
      pendingCount: 1,
      pending: ['2_b'],
      durationMs: 5,
    });
  });

  it('of a lock timeout: names the holder', () => {
    const since = new Date('2024-05-06T07:08:09.000Z');
    const holder = { pid: 7, applicationName: 'lockstep up 0.1.0 web-1', since, doing: 'up 1_a' };
    const message = parsed({ command: 'up', error: new MigratorError('LOCK_TIMEOUT', 'x', { holder }), durationMs: 1 });
    expect(message)
      .to.deep.include({ exit: 31, holder: { ...holder, since: since.toISOString() } })
      .and.not.have.property('failed');
  });

  it('of invalid settings: each problem, no secret', () => {
    const error = new MigratorError('CONFIG_INVALID', '2 settings are wrong', {
      problems: ['--a: postgres://u:hunter2@h/d', "PASSWORD 'hunter2'"],
    });
    const message = parsed({ error, durationMs: 0 });
    expect(message).to.deep.equal({
      exit: 20,
      code: 'CONFIG_INVALID',
      summary: '2 settings are wrong',
      problems: ['--a: postgres://u:***@h/d', "PASSWORD '***'"],
      durationMs: 0,
    });
  });

  it('contains the exit code of each error', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      expect(parsed({ error: new MigratorError(code, 'x'), durationMs: 0 })).to.include({
        exit: ERRORS[code].exit,
        code,
      });
    }
    expect(parsed({ error: new MigratorError('INTERRUPTED', 'x', { signal: 'SIGINT' }), durationMs: 0 })).to.include({
      exit: 130,
    });
  });

  it('cuts long lists and states their length', () => {
    const versions = Array.from({ length: 1000 }, (_, index) => `${index}_a_migration_with_a_name_of_some_length`);
    const message = parsed({ command: 'up', outcome: outcomeOf({ done: versions, pending: versions }), durationMs: 1 });
    expect(message).to.include({ appliedCount: 1000, pendingCount: 1000 });
    const applied = message['applied'] as string[];
    expect(applied).to.have.length.within(5, 99);
    expect(applied).to.deep.equal(versions.slice(0, applied.length));
  });

  it('is valid and within its limit for any content', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3000 }),
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.constant('"\\'.repeat(2000)),
      fc.constant('\u0000💥'.repeat(1000)),
    );
    const errors = fc
      .record({
        summary: text,
        message: text,
        hint: text,
        file: text,
        version: text,
        problem: text,
        name: text,
        server: fc.boolean(),
      })
      .map(
        (one) =>
          new MigratorError('MIGRATION_FAILED', one.summary, {
            hint: one.hint,
            version: one.version,
            problems: [one.problem, one.problem],
            location: { file: one.file, line: 1, column: 1, text: '' },
            ...(one.server && { server: { sqlstate: 'XX000', message: one.message } }),
            // PostgreSQL cuts names after 63 bytes.
            holder: { pid: 1, applicationName: one.name.slice(0, 63), doing: one.message },
          }),
      );
    fc.assert(
      fc.property(errors, fc.array(text, { maxLength: 50 }), (error, versions) => {
        const message = parsed({
          command: 'up',
          outcome: outcomeOf({ done: versions, pending: versions }),
          error,
          durationMs: 1,
        });
        expect(message).to.include({ exit: 40, appliedCount: versions.length });
      }),
    );
  });
});
