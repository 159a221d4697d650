/** `--json` prints exactly one document on stdout, valid by its schema, with every exit code. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { OPTIONS } from '../../src/config/options.ts';
import { runCli } from '../support/cli.ts';
import { closedPort } from '../support/opening.ts';
import { holdKey } from '../support/holder.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { documentOf } from '../support/json-documents.ts';
import { up } from '../support/running.ts';

const VERSIONS = versionsOf(FIVE_FILES);

describe('--json', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  async function document(schema: string, exit: number, ...args: string[]): Promise<Record<string, unknown>> {
    const result = await runCli([...args, '--json'], workspace());
    expect(result.code, `lockstep ${args.join(' ')}\n${result.stderr}`).to.equal(exit);
    return documentOf(schema, result);
  }

  it('up prints planned, applied and skipped versions', async () => {
    const dry = await document('outcome', 0, 'up', '--dry-run');
    expect(dry).to.deep.include({ command: 'up', dryRun: true, done: [], notRun: VERSIONS, pending: VERSIONS });
    const first = await document('outcome', 0, 'up', '--to', '004_bonus');
    expect(first).to.deep.include({ skipped: [], notRun: [], pending: ['005_order_notes'] });
    expect((first['done'] as { version: string }[]).map(({ version }) => version)).to.deep.equal(VERSIONS.slice(0, 4));
    expect(await document('outcome', 0, 'up')).to.deep.include({ skipped: VERSIONS.slice(0, 4), pending: [] });
    expect(await document('outcome', 0, 'up', '--verbose')).to.deep.include({ done: [], skipped: VERSIONS });
  });

  it('down prints planned, rolled back and refused versions', async () => {
    await up(workspace());
    expect(await document('outcome', 0, 'down', '--steps', '2', '--dry-run')).to.deep.include({
      command: 'down',
      dryRun: true,
      notRun: ['005_order_notes', '004_bonus'],
    });
    const down = await document('outcome', 0, 'down', '--steps', '1');
    expect(down['done']).to.have.lengthOf(1);
    expect(down['pending']).to.deep.equal(['005_order_notes']);
    const refused = await document('outcome', 24, 'down', '--to', '005_order_notes');
    expect(refused['error']).to.include({ code: 'ROLLBACK_REFUSED' });
  });

  it('a failed migration prints what was applied, what failed, and what did not run', async () => {
    await workspace().write({ '004_bonus.up.sql': 'SELECT 1;\nSELECT nope;' });
    const failed = await document('outcome', 40, 'up');
    expect(failed).to.deep.include({
      failedVersion: '004_bonus',
      notRun: ['005_order_notes'],
      pending: ['004_bonus', '005_order_notes'],
    });
    expect(failed['error']).to.include({
      code: 'MIGRATION_FAILED',
      file: '004_bonus.up.sql',
      line: 2,
      column: 8,
      sqlstate: '42703',
    });
    const { entries } = (await document('history', 0, 'history')) as { entries: { event: string; code?: string }[] };
    expect(
      entries.filter(({ event }) => event === 'failed' || event === 'run ended').map(({ code }) => code),
    ).to.deep.equal(['MIGRATION_FAILED', 'MIGRATION_FAILED']);
  });

  it('status, history, lock, wait, baseline and validate print their documents', async () => {
    expect(await document('history', 0, 'history')).to.deep.equal({ command: 'history', exit: 0, entries: [] });
    expect(await document('status', 33, 'status', '--exit-code')).to.include({ upToDate: false });
    expect(await document('outcome', 33, 'wait', '--timeout', '0')).to.deep.include({
      command: 'wait',
      pending: VERSIONS,
    });
    expect(await document('outcome', 0, 'baseline', '--to', '002_orders')).to.include({ command: 'baseline' });
    await workspace().query(FIVE_FILES['001_accounts.up.sql']!);
    await workspace().query(FIVE_FILES['002_orders.up.sql']!);
    await document('outcome', 0, 'up');
    await document('outcome', 0, 'wait', '--timeout', '0');
    const status = await document('status', 0, 'status');
    expect((status['migrations'] as { state: string }[]).map(({ state }) => state)).to.deep.equal(
      VERSIONS.map(() => 'applied'),
    );
    const history = (await document('history', 0, 'history'))['entries'] as { event: string }[];
    expect(history.filter(({ event }) => event === 'baselined')).to.have.lengthOf(2);
    expect(history.filter(({ event }) => event === 'applied')).to.have.lengthOf(3);
    expect(await document('lock', 0, 'lock')).to.deep.equal({
      command: 'lock',
      exit: 0,
      key: workspace().lockKey,
      holder: null,
      waiters: [],
    });
    expect(await document('validate', 0, 'validate')).to.include({ valid: true, migrations: 5 });
    await workspace().write({ '006_wrong.up.sql': 'selec 1;' });
    expect(await document('validate', 21, 'validate')).to.include({ valid: false });
  });

  it('a held lock prints the holder and exits with 31', async () => {
    const holder = await holdKey(workspace().serverUrl, workspace().lockKey, 'somebody else');
    workspace().defer(() => holder.release());
    const found = await document('outcome', 31, 'up', '--lock-wait', '0');
    expect(found['holder']).to.deep.equal({ pid: holder.pid, applicationName: 'somebody else' });
    const repair = await document('error', 31, 'repair', '--lock-wait', '0');
    expect(repair['error']).to.include({ code: 'LOCK_TIMEOUT' });
    expect((await document('lock', 0, 'lock'))['holder']).to.deep.equal({
      pid: holder.pid,
      applicationName: 'somebody else',
    });
  });

  /** Runs each command that has the flag, in sequence, in one schema. */
  const COMMANDS: Readonly<
    Record<(typeof OPTIONS.json.commands)[number], [schema: string, exit: number, ...args: string[]]>
  > = {
    up: ['outcome', 0, '--to', '002_orders'],
    down: ['outcome', 0, '--steps', '1'],
    wait: ['outcome', 33, '--timeout', '0'],
    status: ['status', 0],
    history: ['history', 0],
    baseline: ['outcome', 0, '--to', '002_orders'],
    import: ['convert', 0, '--from', 'goose', '--dry-run', '--files'],
    repair: ['repair', 0],
    drift: ['error', 20],
    prove: ['prove', 0, '--scratch-url'],
    lock: ['lock', 0],
    validate: ['validate', 0],
    fleet: ['fleet', 33, 'status', '--targets-dir'],
  };

  it('every command prints its exit code in a document that matches its schema', async () => {
    const old = join(workspace().dir, 'old');
    await mkdir(old);
    await writeFile(join(old, '001_a.sql'), '-- +goose Up\nSELECT 1;\n');
    const targets = join(workspace().dir, 'targets');
    await mkdir(targets);
    await writeFile(join(targets, 'shop'), workspace().url);
    for (const command of OPTIONS.json.commands) {
      const [schema, exit, ...args] = COMMANDS[command];
      const last =
        { import: [old], fleet: [targets], prove: [workspace().url.replace(/\?.*/, '')] }[command as string] ?? [];
      expect(await document(schema, exit, command, ...args, ...last)).to.include({
        command,
        exit,
      });
    }
  });

  it('errors before the run starts print a document too', async () => {
    const port = await closedPort();
    const cases: [schema: string, exit: number, args: string[]][] = [
      ['error', 20, ['up', '--table', '.']],
      ['error', 20, ['sideways']],
      ['error', 20, ['status', '--nonsense']],
      ['error', 24, ['down']],
      ['error', 21, ['validate', '--dir', '/nowhere']],
      ['outcome', 21, ['up', '--dir', '/nowhere']],
      ['error', 30, ['status', '--connect-wait', '0', '--database-url', `postgres://u@127.0.0.1:${port}/d`]],
      ['outcome', 30, ['up', '--connect-wait', '0', '--database-url', `postgres://u@127.0.0.1:${port}/d`]],
    ];
    for (const [schema, exit, args] of cases) {
      const { error } = (await document(schema, exit, ...args)) as { error: { next?: string } };
      expect(error.next, args.join(' ')).to.be.a('string').and.not.equal('');
    }
  });
});
