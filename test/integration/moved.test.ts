/**
 * Databases that the real tools created (scripts/record-moved.sh), and their files: imported, and migrated further,
 * down and up again.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { schemaOf } from '../support/schema.ts';
import { useWorkspace } from '../support/workspace.ts';

const FOLDER = join(import.meta.dirname, '../fixtures/moved');

/** How many of its migrations are applied in the recorded database, and whether they have down scripts. */
const TOOLS: Readonly<
  Record<string, { readonly applied: number; readonly down: boolean; readonly converted: boolean }>
> = {
  goose: { applied: 3, down: true, converted: true },
  'golang-migrate': { applied: 2, down: true, converted: false },
  dbmate: { applied: 3, down: true, converted: true },
  'node-pg-migrate': { applied: 2, down: true, converted: true },
  flyway: { applied: 3, down: false, converted: true },
};

const PEOPLE = ['Ada', 'Grace', 'Edsger'].map((name, index) => ({ id: index + 1, name }));

describe('a database that another tool created', () => {
  const workspace = useWorkspace();

  async function run(...args: string[]): Promise<CliResult> {
    const result = await runCli(args, workspace());
    expectExit(result, 0);
    return result;
  }

  for (const [tool, { applied, down, converted }] of Object.entries(TOOLS)) {
    it(`${tool}: import, up, down --all and up give the same schema as on an empty database`, async () => {
      const old = join(FOLDER, tool, 'old');
      const dir = converted ? join(workspace().dir, 'new') : old;
      if (converted) await run('import', '--files', old, '--from', tool, '--dir', dir);
      await workspace().query(readFileSync(join(FOLDER, tool, 'database.sql'), 'utf8'));
      const imported = await run('import', '--from', tool, '--dir', dir);
      expect(imported.stdout.match(/^ {2}import /gm)).to.have.length(applied);
      const { stdout } = await run('up', '--dir', dir);
      expect(stdout.match(/^ {2}up .*/gm)).to.have.length(1);
      expect(stdout).to.match(/^ {2}up \d+_more$/m);
      expect(await workspace().query('SELECT id, name FROM people ORDER BY id')).to.deep.equal(PEOPLE);
      expect((await run('status', '--dir', dir, '--exit-code')).stdout).to.match(
        new RegExp(`^${applied + 1} applied$`, 'm'),
      );
      if (!down) return;
      const moved = await tableOf('people');
      const [{ name: confirm } = { name: '' }] = await workspace().query<{ name: string }>(
        'SELECT current_database() AS name',
      );
      await run('down', '--all', '--confirm', confirm, '--dir', dir);
      expect(await workspace().query(`SELECT to_regclass('people') AS people`)).to.deep.equal([{ people: null }]);
      await run('up', '--dir', dir);
      expect(await tableOf('people')).to.deep.equal(moved);
    });
  }

  /** Columns, constraints, indexes and rows of one table. */
  async function tableOf(name: string): Promise<unknown> {
    const schema = (await schemaOf(workspace())) as Record<string, unknown>;
    return Object.entries(schema).map(([what, rows]) => [
      what,
      Array.isArray(rows)
        ? rows.filter((row) => JSON.stringify(row).includes(name))
        : (rows as Record<string, unknown>)[name],
    ]);
  }
});
