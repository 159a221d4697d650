import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import type { ForeignTable, ImportTool } from '../../src/core/import/foreign-history.ts';
import { importHistory, type ImportOptions, type ImportResult } from '../../src/engine/commands/import.ts';
import { commandFakes } from '../support/fakes/command.ts';
import { migrations, source } from '../support/fakes/files.ts';
import { failure, runner } from '../support/fakes/run.ts';

const FILES = migrations('001_a', '002_b', '003_c');

function dbmate(...versions: readonly string[]): ForeignTable {
  return {
    name: { schema: 'public', name: 'schema_migrations' },
    columns: ['version'],
    rows: versions.map((version) => ({ version })),
  };
}

describe('import', () => {
  let { clock, server, database, recorder, controller } = commandFakes();
  beforeEach(() => {
    ({ clock, server, database, recorder, controller } = commandFakes());
    server.foreign = [dbmate('1', '2')];
  });

  function run(tool: ImportTool = 'dbmate', more: Partial<ImportOptions> = {}): Promise<ImportResult> {
    return importHistory(
      {
        runner: runner('import'),
        connectWaitMs: 60_000,
        lockWaitMs: 600_000,
        tool,
        from: undefined,
        table: { name: 'schema_migrations' },
        dryRun: false,
        signal: controller.signal,
        ...more,
      },
      { database, source: source(FILES), clock, reporter: recorder },
    );
  }

  const recorded = ({ record }: ImportResult): string[] => record.map(({ migration }) => migration.version);

  it('records what the other tool applied, and reports that and the fate of its table', async () => {
    const result = await run();
    expect(recorded(result)).to.deep.equal(['001_a', '002_b']);
    expect([...(server.contents.history?.keys() ?? [])]).to.deep.equal(['001_a', '002_b']);
    expect(recorder.of('migration.imported').map(({ version, as, dryRun }) => [version, as, dryRun])).to.deep.equal([
      ['001_a', '1', false],
      ['002_b', '2', false],
    ]);
    expect(recorder.of('table.renamed')).to.deep.equal([
      { type: 'table.renamed', table: 'schema_migrations', to: 'schema_migrations_old', dryRun: false },
    ]);
  });

  it('records nothing the second time', async () => {
    await run();
    const again = await run();
    expect({ recorded: recorded(again), skipped: again.skipped }).to.deep.equal({
      recorded: [],
      skipped: ['001_a', '002_b'],
    });
  });

  it('does not record again what was rolled back since the import', async () => {
    await run();
    server.forget('002_b');
    const again = await run();
    expect(recorded(again)).to.deep.equal([]);
    expect(recorder.of('warning').at(-1)?.message).to.include('002_b');
  });

  it('reports in a dry run what it would record and writes nothing', async () => {
    const result = await run('dbmate', { dryRun: true });
    expect(recorded(result)).to.deep.equal(['001_a', '002_b']);
    expect(recorder.of('migration.imported').map(({ dryRun }) => dryRun)).to.deep.equal([true, true]);
    expect(server.contents).to.deep.include({ history: undefined, journal: [] });
    expect(recorder.of('table.renamed').map(({ dryRun }) => dryRun)).to.deep.equal([true]);
  });

  it("is refused when the tool's table is missing or has an unexpected shape, and writes nothing", async () => {
    expect(await failure<MigratorError>(run('goose'))).to.include({
      code: 'CONFIG_INVALID',
      summary: 'there is no table of goose here',
    });
    expect(await failure<MigratorError>(run('golang-migrate'))).to.include({ code: 'HISTORY_CONFLICT' });
    expect(server.contents).to.deep.include({ history: undefined, journal: [] });
    expect(server.holder).to.equal(undefined);
  });

  it('waits for the lock holder, then reads the table', async () => {
    const holder = server.stranger('lockstep up 1.0.0 pod-z');
    server.holder = holder;
    const work = run();
    await clock.advance(3_000);
    server.foreign = [dbmate('1', '2', '3')];
    server.dismiss(holder);
    expect(recorded(await clock.until(work))).to.deep.equal(['001_a', '002_b', '003_c']);
  });

  it('ends with the reason of the abort signal and records nothing', async () => {
    const reason = new MigratorError('INTERRUPTED', 'SIGTERM');
    server.turn = async (label) => {
      if (label.endsWith('takeover.takeOver')) controller.abort(reason);
    };
    expect(await failure(run())).to.equal(reason);
    expect(server.contents.history).to.equal(undefined);
    expect(server.holder).to.equal(undefined);
  });
});
