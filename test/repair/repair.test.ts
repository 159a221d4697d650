/** `repair`: changed files, replaced down SQL, and statements whose effect only an operator can determine. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, runCli, startCli, type CliResult } from '../support/cli.ts';
import { closeGate, type Gate } from '../support/gate.ts';
import { holdKey } from '../support/holder.ts';
import { file } from '../support/migrations.ts';
import { documentOf } from '../support/json-documents.ts';
import { stateOf } from '../support/state.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('repair', () => {
  const workspace = useWorkspace();

  const run = (...args: readonly string[]): Promise<CliResult> => runCli(args, workspace());

  async function expectRun(exit: number, ...args: readonly string[]): Promise<CliResult> {
    const result = await run(...args);
    expectExit(result, exit);
    return result;
  }

  /** The command's stdout. */
  async function repair(...args: readonly string[]): Promise<string[]> {
    return (await expectRun(0, 'repair', ...args)).stdout.trimEnd().split('\n');
  }

  async function states(): Promise<Record<string, string>> {
    const { stdout } = await expectRun(0, 'status', '--json');
    const { migrations } = JSON.parse(stdout) as { migrations: { version: string; state: string }[] };
    return Object.fromEntries(migrations.map(({ version, state }) => [version, state]));
  }

  describe('with nothing to repair', () => {
    it('reports it on an empty database, where a dry run does not even create the tables', async () => {
      await workspace().write(file(1, 'a', 'SELECT 1;'));
      const before = await stateOf(workspace());
      expect(await repair('--dry-run')).to.deep.equal(['Nothing to repair.']);
      expect(await stateOf(workspace())).to.deep.equal(before);
      expect(await repair()).to.deep.equal(['Nothing to repair.']);
      expect(await states()).to.deep.equal({ '001_a': 'pending' });
    });

    it('reports it when history and files agree, and changes no row', async () => {
      await workspace().write({ ...file(1, 'a', 'SELECT 1;'), '001_a.down.sql': 'SELECT 2;' });
      await expectRun(0, 'up');
      const before = await stateOf(workspace());
      expect(await repair()).to.deep.equal(['Nothing to repair.']);
      expect(await stateOf(workspace())).to.deep.equal(before);
    });
  });

  describe('of a file that was changed after it was applied', () => {
    beforeEach(async () => {
      await workspace().write({
        ...file(1, 'a', 'CREATE TABLE a ();'),
        ...file(2, 'b', 'CREATE TABLE b ();'),
        '001_a.down.sql': 'DROP TABLE a;',
      });
      await expectRun(0, 'up');
      await workspace().write({
        ...file(1, 'a', 'CREATE TABLE a (); -- a comment'),
        ...file(2, 'b', 'CREATE TABLE b (); -- too'),
      });
    });

    const ACCEPT = (version: string): string =>
      `${version}: accept the changed ${version}.up.sql as the text that was applied, and keep the stored down SQL`;

    it('accepts the change without running anything; afterwards no file counts as changed', async () => {
      await workspace().write(file(3, 'c', 'CREATE TABLE c ();'));
      await expectRun(22, 'up');
      expect(await states()).to.deep.equal({ '001_a': 'changed', '002_b': 'changed', '003_c': 'pending' });
      expect(await repair()).to.deep.equal([`  repair ${ACCEPT('001_a')}`, `  repair ${ACCEPT('002_b')}`, 'Done.']);
      expect(await states()).to.deep.equal({ '001_a': 'applied', '002_b': 'applied', '003_c': 'pending' });
      expect(await workspace().journalCounts('repaired')).to.deep.equal({ '001_a': 1, '002_b': 1 });
      expect(await workspace().journalCounts('started')).to.deep.equal({ '001_a': 1, '002_b': 1 });
      await expectRun(0, 'up');
      await expectRun(0, 'up', '--strict');
      expect(await repair()).to.deep.equal(['Nothing to repair.']);
      expect(
        await workspace().query('SELECT down_sql FROM schema_migrations_journal WHERE event = $1 AND version = $2', [
          'repaired',
          '001_a',
        ]),
      ).to.deep.equal([{ down_sql: 'DROP TABLE a;' }]);
    });

    it('accepts a single file with --only', async () => {
      expect(await repair('--only', '002_b')).to.deep.equal([`  repair ${ACCEPT('002_b')}`, 'Done.']);
      expect(await states()).to.deep.equal({ '001_a': 'changed', '002_b': 'applied' });
    });

    it('prints the same in a dry run, and changes nothing', async () => {
      const before = await stateOf(workspace());
      expect(await repair('--dry-run')).to.deep.equal([
        `  would repair ${ACCEPT('001_a')}`,
        `  would repair ${ACCEPT('002_b')}`,
        'Dry run: nothing was changed.',
      ]);
      expect(await stateOf(workspace())).to.deep.equal(before);
    });

    it('prints what it will do before it does it', async () => {
      // Its row is locked, so everything printed by now was printed before the change.
      const other = await workspace().client();
      await other.query('BEGIN; SELECT * FROM schema_migrations FOR UPDATE');
      const process = startCli(['repair'], workspace());
      const line = await process.waitForLog('repair.planned');
      expect(line).to.include({ version: '001_a', dryRun: false });
      await process.waitForLog((next) => next.event === 'repair.planned' && next['version'] === '002_b');
      expect(
        await workspace().query('SELECT event FROM schema_migrations_journal WHERE event = $1', ['repaired']),
      ).to.deep.equal([]);
      await other.query('ROLLBACK');
      expectExit(await process.exited, 0);
      expect(await states()).to.deep.equal({ '001_a': 'applied', '002_b': 'applied' });
    });

    it('waits for the lock, and exits with 31 without a change when it does not get it', async () => {
      const holder = await holdKey(workspace().serverUrl, workspace().lockKey);
      workspace().defer(() => holder.release());
      const before = await stateOf(workspace());
      await expectRun(31, 'repair', '--lock-wait', '0');
      expect(await stateOf(workspace())).to.deep.equal(before);
    });

    it('prints one document that matches its schema with --json', async () => {
      for (const dryRun of [true, false]) {
        const result = await run('repair', '--json', ...(dryRun ? ['--dry-run'] : []));
        expectExit(result, 0);
        const document = documentOf('repair', result);
        expect(document).to.include({ dryRun });
        expect((document['steps'] as { version: string }[]).map(({ version }) => version)).to.deep.equal([
          '001_a',
          '002_b',
        ]);
      }
    });
  });

  describe('of a down file that was changed, added or removed', () => {
    const storedDown = async (version: string): Promise<unknown> =>
      (
        await workspace().query(
          'SELECT down_sql FROM schema_migrations_journal WHERE version = $1 ORDER BY id DESC LIMIT 1',
          [version],
        )
      )[0]!['down_sql'];

    beforeEach(async () => {
      await workspace().write({
        ...file(1, 'a', 'CREATE TABLE a ();'),
        ...file(2, 'b', 'CREATE TABLE b ();'),
        '001_a.down.sql': 'DROP TABLE a;',
      });
      await expectRun(0, 'up');
    });

    const DIFF = [
      '      --- 001_a.down.sql, as stored when the migration was applied',
      '      +++ 001_a.down.sql, the file',
      '      - DROP TABLE a;',
      '      + DROP TABLE a CASCADE;',
    ];

    it('stores the new SQL for rollbacks on request, and shows the difference', async () => {
      await workspace().write({ '001_a.down.sql': 'DROP TABLE a CASCADE;', '002_b.down.sql': 'DROP TABLE b;' });
      const left = await repair();
      expect(left[0]).to.equal('Nothing was repaired.');
      expect(left.slice(1).map((line) => line.slice(0, 54))).to.deep.equal(
        ['001_a', '002_b'].map((version) => `  left as it is: the stored down SQL of ${version} differs `),
      );
      expect(await storedDown('001_a')).to.equal('DROP TABLE a;');
      expect(await repair('--down', 'files')).to.deep.equal([
        '  repair 001_a: replace the stored down SQL with 001_a.down.sql',
        ...DIFF,
        '  repair 002_b: replace the stored down SQL with 002_b.down.sql',
        'Done.',
      ]);
      expect(await storedDown('001_a')).to.equal('DROP TABLE a CASCADE;');
      expect(await storedDown('002_b')).to.equal('DROP TABLE b;');
      expect(await repair()).to.deep.equal(['Nothing to repair.']);
      await expectRun(0, 'down', '--steps', '2');
      expect(await states()).to.deep.equal({ '001_a': 'pending', '002_b': 'pending' });
    });

    it('keeps the stored SQL when its file is gone, even if the up file was changed', async () => {
      await rm(join(workspace().dir, '001_a.down.sql'));
      expect(await repair('--down', 'files')).to.deep.equal(['Nothing to repair.']);
      await workspace().write(file(1, 'a', 'CREATE TABLE a (); -- a comment'));
      expect(await repair('--down', 'files')).to.deep.equal([
        '  repair 001_a: accept the changed 001_a.up.sql as the text that was applied, and keep the stored down SQL',
        'Done.',
      ]);
      expect(await storedDown('001_a')).to.equal('DROP TABLE a;');
      await rm(join(workspace().dir, '001_a.up.sql'));
      expect(await repair('--down', 'files')).to.deep.equal(['Nothing to repair.']);
      expect(await storedDown('001_a')).to.equal('DROP TABLE a;');
    });

    it('keeps the stored SQL that differs when it accepts a changed up file', async () => {
      await workspace().write({
        ...file(1, 'a', 'CREATE TABLE a (); -- a comment'),
        '001_a.down.sql': 'DROP TABLE a CASCADE;',
      });
      await repair();
      expect(await storedDown('001_a')).to.equal('DROP TABLE a;');
    });

    it('prints the difference in a dry run, and changes nothing', async () => {
      await workspace().write({ '001_a.down.sql': 'DROP TABLE a CASCADE;' });
      const before = await stateOf(workspace());
      expect(await repair('--dry-run', '--down', 'files')).to.deep.equal([
        '  would repair 001_a: replace the stored down SQL with 001_a.down.sql',
        ...DIFF,
        'Dry run: nothing was changed.',
      ]);
      expect(await stateOf(workspace())).to.deep.equal(before);
    });
  });

  for (const [kind, statement] of [
    [
      'DO',
      (gate: Gate): string =>
        `DO $$ BEGIN INSERT INTO counted VALUES (2); COMMIT; ${gate.sql.replace('SELECT', 'PERFORM')} END $$;`,
    ],
    ['CALL', (): string => 'CALL half();'],
  ] as const) {
    describe(`of a run that was killed in the middle of a ${kind} with COMMIT`, () => {
      const NEXT = file(2, 'next', 'INSERT INTO counted VALUES (4);');

      beforeEach(async () => {
        const gate = await closeGate(workspace());
        await workspace().query(
          `CREATE PROCEDURE half() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO counted VALUES (2); COMMIT; ${gate.sql.replace('SELECT', 'PERFORM')} END $$`,
        );
        await workspace().write({
          ...file(
            1,
            'half',
            `-- lockstep: no-transaction\nCREATE TABLE counted (n int);\n${statement(gate)}\nINSERT INTO counted VALUES (3);`,
          ),
          ...NEXT,
        });
        const killed = startCli(['up'], workspace());
        const orphan = await gate.arrived();
        killed.kill('SIGKILL');
        expect((await killed.exited).signal).to.equal('SIGKILL');
        await workspace().query('SELECT pg_terminate_backend($1, 5000)', [orphan]);
        await gate.open();
        expect(await counted()).to.deep.equal([2]);
      });

      async function counted(): Promise<unknown[]> {
        return (await workspace().query('SELECT n FROM counted ORDER BY n')).map(({ n }) => n);
      }

      async function expectIncomplete(): Promise<void> {
        const result = await expectRun(41, 'up', '--log-format', 'text');
        expect(result.stderr).to.match(/^error: 001_half\.up\.sql stopped in statement 2, and it is unknown whether/m);
        expect(result.stderr).to.include('lockstep repair --only 001_half --statement done').and.include('again');
      }

      it('makes every further run exit with 41 and not repeat the statement until a person has answered', async () => {
        for (let time = 1; time <= 3; time += 1) {
          await expectIncomplete();
          expect(await counted()).to.deep.equal([2]);
        }
        // Without the answer no run may settle it.
        const unanswered = await expectRun(41, 'repair');
        expect(unanswered.stdout).to.match(
          /^Nothing was repaired\.\n {2}left as it is: 001_half is applied in part: .*--only 001_half --statement done.*--only 001_half --reset/,
        );
        expect(await repair('--only', '002_next', '--statement', 'done')).to.deep.equal(['Nothing to repair.']);
        await expectRun(41, 'up', '--retry-now');
        await expectRun(41, 'up', '--to', '001_half');
        await expectRun(33, 'wait', '--timeout', '0');
        expect(await counted()).to.deep.equal([2]);
        expect(await workspace().versions()).to.deep.equal([]);
        expect(await workspace().journalCounts('statement started')).to.deep.equal({ '001_half': 1 });
      });

      it('continues after the statement without running it again when the answer is "done"', async () => {
        await expectIncomplete();
        expect(await repair('--only', '001_half', '--statement', 'done')).to.deep.equal([
          '  repair 001_half: treat statement 2 as done',
          'Done.',
        ]);
        expect(await counted()).to.deep.equal([2]);
        await expectRun(0, 'up');
        expect(await counted()).to.deep.equal([2, 3, 4]);
        expect(await workspace().versions()).to.deep.equal(['001_half', '002_next']);
        expect(await repair('--statement', 'done')).to.deep.equal(['Nothing to repair.']);
      });

      it('repeats the statement and continues after it when the answer is "again"', async () => {
        await expectIncomplete();
        expect(await repair('--only', '001_half', '--statement', 'again')).to.deep.equal([
          '  repair 001_half: run statement 2 again',
          'Done.',
        ]);
        expect(await counted()).to.deep.equal([2]);
        await expectRun(0, 'up');
        expect(await counted()).to.deep.equal([2, 2, 3, 4]);
        expect(await workspace().versions()).to.deep.equal(['001_half', '002_next']);
      });

      it('takes the answer without a run in between and without --only', async () => {
        expect(await repair('--statement', 'done')).to.deep.equal([
          '  repair 001_half: treat statement 2 as done',
          'Done.',
        ]);
        await expectRun(0, 'up');
        expect(await counted()).to.deep.equal([2, 3, 4]);
      });

      it('asks again when the repeated statement is killed too', async () => {
        await repair('--statement', 'again');
        const gate = await closeGate(workspace());
        const killed = startCli(['up'], workspace());
        await gate.arrived();
        killed.kill('SIGKILL');
        await killed.exited;
        await gate.open();
        await expectIncomplete();
        expect(await repair('--statement', 'done')).to.deep.equal([
          '  repair 001_half: treat statement 2 as done',
          'Done.',
        ]);
        await expectRun(0, 'up');
        expect(await counted()).to.deep.equal([2, 2, 3, 4]);
      });

      it('changes nothing in a dry run of an answer; the next run still asks', async () => {
        const before = await stateOf(workspace());
        for (const [answer, told] of [
          ['done', 'treat statement 2 as done'],
          ['again', 'run statement 2 again'],
        ] as const) {
          expect(await repair('--statement', answer, '--dry-run')).to.deep.equal([
            `  would repair 001_half: ${told}`,
            'Dry run: nothing was changed.',
          ]);
        }
        expect(await stateOf(workspace())).to.deep.equal(before);
        await expectIncomplete();
      });

      it('does not mistake a statement that was changed meanwhile for the one that ran', async () => {
        await workspace().write(
          file(
            1,
            'half',
            '-- lockstep: no-transaction\nCREATE TABLE counted (n int);\nCALL something_else();\nINSERT INTO counted VALUES (3);',
          ),
        );
        expect((await run('up')).code).to.be.oneOf([22, 41]);
        await repair('--statement', 'done');
        await expectRun(22, 'up');
        expect(await counted()).to.deep.equal([2]);
      });
    });
  }

  it('exits with 20 when the answer is not a valid one', async () => {
    await workspace().write(file(1, 'a', 'SELECT 1;'));
    await expectRun(20, 'repair', '--statement', 'perhaps');
  });
});
