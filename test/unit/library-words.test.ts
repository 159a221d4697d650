/** The wording of errors and warnings for a library caller: options instead of flags, and the reason in `message`. */
import { expect } from 'chai';

import { OPTION_KEYS, belongsTo, optionEntry } from '../../src/config/options.ts';
import { MigratorError, type ErrorCode } from '../../src/core/errors.ts';
import { inOptions, OPTION_OF, textInOptions, warningInOptions } from '../../src/library/words.ts';

/** Settings of `up` and `down` that the library lacks, and why none of its texts mentions them. */
const NOT_OFFERED: Readonly<Record<string, string>> = {
  retryNow: 'the library does not pause after a failure',
  journalKeep: 'the default stands',
  hookMemory: 'hooks run in the caller’s thread',
  ...{
    target: 'no fleet: the caller gives each address',
    targets: 'no fleet',
    targetIndex: 'no fleet',
    targetsDir: 'no fleet',
    schemas: 'one schema a call',
    excludeSchemas: 'one schema a call',
    schemasParallel: 'one schema a call',
    failFast: 'one schema a call',
  },
  ...{
    databaseUrlFile: 'no files with secrets',
    passwordFile: 'no files with secrets',
    passwordCommand: 'no programs',
    envFile: 'no files of variables',
    drift: 'no kept schema',
    expect: 'no kept schema',
    ignore: 'no kept schema',
    ignoreFile: 'no kept schema',
    owner: 'no kept schema',
    privileges: 'no kept schema',
  },
};

/** The library prints nothing, and sends no Events. */
const OUTWARD = ['Output', 'Kubernetes'];

async function libraryError(error: Error): Promise<MigratorError> {
  return await inOptions(() => Promise.reject(error)).then(
    () => {
      throw new Error('it ended well');
    },
    (thrown: unknown) => thrown as MigratorError,
  );
}

describe('the words of the library', () => {
  it('have an option for every setting of up and down, or a reason', () => {
    const settings = OPTION_KEYS.filter(
      (key) => (belongsTo(key, 'up') || belongsTo(key, 'down')) && !OUTWARD.includes(optionEntry(key).group),
    );
    const known = [...Object.keys(OPTION_OF), ...Object.keys(NOT_OFFERED)];
    expect(known.toSorted()).to.deep.equal(settings.toSorted());
  });

  const TEXTS: Readonly<Record<string, string>> = {
    'the lock was not free within --lock-wait=0.5s: by x': 'the lock was not free within lockWaitMs: 500: by x',
    'gave up after --connect-wait=60s': 'gave up after connectWaitMs: 60000',
    'without --strict it is only a warning': 'without strict it is only a warning',
    'check --dir (LOCKSTEP_DIR); --allow-empty accepts': 'check dir; allowEmpty accepts',
    'choose with --from stored (as it was) or --from files': "choose with from: 'stored' (as it was) or from: 'files'",
    'leave out --no-cancel-blocked-waiters': 'leave out cancelBlockedWaiters: false',
    'give one of: --to VERSION, --steps N, --to-files': 'give one of: to VERSION, steps N, toFiles',
    'on purpose: lockstep up --reapply 1_a,2_b': 'on purpose: runMigrations with reapply 1_a,2_b',
    'for example: DATABASE_URL=postgresql://h/d': 'for example: connectionString postgresql://h/d',
  };
  for (const [flags, options] of Object.entries(TEXTS)) {
    it(`${flags} → ${options}`, () => {
      expect(textInOptions(flags)).to.equal(options);
    });
  }

  it('keep commands to type and flags of other programs', () => {
    for (const text of [
      'run "lockstep repair --only 1_a --reset"',
      'apply it (lockstep baseline --to 1_a), or go on',
      'lockstep lock --terminate; or wait',
      'a file with --! Previous: and --nonsense and -- lockstep: no-transaction',
    ])
      expect(textInOptions(text)).to.equal(text);
    expect(textInOptions('"lockstep repair --only 1_a"; without --strict')).to.equal(
      '"lockstep repair --only 1_a"; without strict',
    );
  });

  it('put the reason into the message and keep code, cause, stack and details', async () => {
    const cause = new Error('y');
    const error = new MigratorError('CONFIG_INVALID', '--table is wrong', {
      problems: ['--table . is no name', '--role x'],
      hint: 'correct --table',
      cause,
    });
    const found = await libraryError(error);
    expect(found).to.be.instanceOf(MigratorError).and.include({ code: 'CONFIG_INVALID', exit: 20, cause });
    expect(found.message).to.equal('table is wrong: table . is no name; role x. Next: correct table');
    expect(found).to.include({ summary: 'table is wrong', hint: 'correct table', next: 'correct table' });
    expect(found.details.problems).to.deep.equal(['table . is no name', 'role x']);
    expect(found.stack?.split('\n')[0]).to.equal(`MigratorError: ${found.message}`);
    expect(found.stack).to.include(import.meta.filename);
  });

  it("contain the server's message and SQLSTATE, the file and the line, and no row", async () => {
    const server = { sqlstate: '22P02', message: 'invalid input syntax for type integer: "secret row"' };
    const location = { file: '1_a.up.sql', line: 3, column: 2, text: 'SELECT 1' };
    const { message } = await libraryError(new MigratorError('MIGRATION_FAILED', '1_a failed', { server, location }));
    expect(message).to.include('1_a.up.sql:3').and.to.include('invalid input syntax').and.to.include('22P02');
    expect(message).to.not.include('secret row');
  });

  it('report an unexpected error as a bug, with the cause', async () => {
    const cause = new TypeError('x is not a function');
    const found = await libraryError(cause);
    expect(found).to.include({ code: 'INTERNAL' satisfies ErrorCode, cause });
    expect(found.message).to.include('x is not a function').and.not.include('--log-format');
  });

  it('apply to the warnings that a reporter gets', () => {
    expect(warningInOptions({ type: 'warning', message: 'set --table a.b (LOCKSTEP_TABLE)' })).to.deep.equal({
      type: 'warning',
      message: 'set table a.b',
    });
  });
});
