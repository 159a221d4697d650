/**
 * Tries one cell of the matrix: the next command after a partly executed version, its messages, and that the version
 * can be completed.
 */
import { expect } from 'chai';

import { expectExit, type CliResult } from '../../support/cli.ts';
import { Workspace } from '../../support/workspace.ts';
import { expected, HalfDone, PART, type Cell } from './half-done.ts';

/** @throws Error that names the problem. */
export async function tryCell(serverUrl: string, cell: Cell): Promise<void> {
  const workspace = await Workspace.create(serverUrl);
  try {
    const made = await HalfDone.make(workspace, cell);
    await expectTold(made, true);
    await runNext(made);
    await finish(made);
  } catch (error) {
    throw new Error(
      `${cell.way}, ${cell.how}, then ${cell.next}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  } finally {
    await workspace.close({ keep: false });
  }
}

async function runNext(made: HalfDone): Promise<void> {
  const { cell, files, workspace } = made;
  const { image, args, exit, end, changes, prepare } = expected(cell);
  await prepare?.(workspace);
  const before = await made.catalog();
  const result = await made.run(image?.(files, cell) ?? files, ...args);
  expectExit(result, exit);
  // A command that does not complete the version reports it, and does nothing else silently.
  if (!end && !args.includes('--statement')) expect(result.stdout + result.stderr, 'what it says').to.include(PART);
  if (exit !== 0) expectNextStep(result);
  if (changes !== true && !end) expect(await made.catalog(), 'the catalog').to.equal(before);
  if (!args.includes('--statement')) await expectTold(made, !end);
}

function expectNextStep({ stderr }: CliResult): void {
  expect(stderr, 'what to do next').to.match(/^next: .*(--reset|--statement|correct)/m);
}

/** The read-only commands. */
async function expectTold(made: HalfDone, inPart: boolean): Promise<void> {
  const { cell, files } = made;
  const status = JSON.parse((await made.run(files, 'status', '--json')).stdout) as {
    upToDate: boolean;
    migrations: { version: string; state: string; inPart?: string }[];
  };
  const row = status.migrations.find(({ version }) => version === PART);
  expect(row?.state === 'in part' && row.inPart === cell.way, `status shows ${row?.state}`).to.equal(inPart);
  if (!inPart) return;
  expect(status.upToDate).to.equal(false);
  expectExit(await made.run(files, 'status', '--exit-code'), 33);
  const wait = await made.run(files, 'wait', '--timeout', '0');
  expectExit(wait, 33);
  expect(wait.stderr).to.include(PART);
  const history = await made.run(files, 'history');
  expect(history.stdout).to.include(PART);
}

/** Completes the version by the suggested commands: both directions end in the state of a run without a fault. */
async function finish(made: HalfDone): Promise<void> {
  const { cell, corrected, workspace } = made;
  const { way, how } = cell;
  const isBelow = way === 'down' && cell.next === 'down below';
  const target = isBelow ? ['--all', '--confirm', 'postgres'] : ['--to', '001_a'];
  const last = way === 'up' ? ['up'] : ['down', ...target, '--from', 'files'];
  const isForgotten = cell.next === 'repair --reset';
  if (isForgotten) await undo(made);
  else if (how === '41') await made.run(corrected, 'repair', '--only', PART, '--statement', 'done');
  expectExit(await made.run(corrected, ...last), 0);
  // The version is now completely applied, or completely rolled back.
  expect((await workspace.versions()).includes(PART)).to.equal(way === 'up');
  await expectTold(made, false);
  if (isBelow) return;
  const facts = await workspace.query(
    `SELECT (SELECT count(*)::int FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname = 'w' AND NOT attisdropped) AS w,
            (SELECT count(*)::int FROM a WHERE id = 7) AS sevens, (SELECT count(*)::int FROM pg_index WHERE indrelid = 'a'::regclass AND indisvalid) AS indexes,
            (SELECT count(*)::int FROM pg_index WHERE indrelid = 'a'::regclass AND NOT indisvalid) AS invalid`,
  );
  // A statement that the operator repeats runs again.
  const sevens = how !== '41' ? 0 : cell.next === 'repair --statement again' ? 2 : 1;
  expect(facts[0]).to.deep.equal({ w: way === 'up' ? 1 : 0, sevens, indexes: how === '41' ? 0 : 1, invalid: 0 });
}

/** Fixes the version by hand, following the hint. */
async function undo({ workspace, cell }: HalfDone): Promise<void> {
  await workspace.query(cell.way === 'up' ? 'ALTER TABLE a DROP COLUMN w' : 'ALTER TABLE a ADD COLUMN w int');
  await workspace.query('DELETE FROM a WHERE id = 7');
  await workspace.query('DROP INDEX IF EXISTS a_v');
}
