/** Right down files of generated migrations raise no alarm, and reading what has changed is as good as reading all. */
import { expect } from 'chai';
import fc from 'fast-check';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { execute, readCatalogOf, withCatalogs } from '../support/catalogs.ts';
import { inDatabase } from '../support/databases.ts';
import { generatedMigrations } from '../support/generated-migrations.ts';
import { runInProcess } from '../support/in-process.ts';
import { testServer } from '../support/server.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('right down files', function () {
  this.timeout(240_000);

  const workspace = useWorkspace();

  it('are proved, whatever the migrations do', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(generatedMigrations, async (migrations) => {
        const folder = `right_${(run += 1)}`;
        await mkdir(join(workspace().dir, folder));
        await workspace().write(
          Object.fromEntries(
            migrations.flatMap(({ up, down }, at) => {
              const version = String(at + 1).padStart(3, '0');
              return [
                [`${folder}/${version}_a.up.sql`, up],
                [`${folder}/${version}_a.down.sql`, down],
              ];
            }),
          ),
        );
        const { serverUrl, dir } = workspace();
        const env = { LOCKSTEP_SCRATCH_URL: serverUrl, LOCKSTEP_DIR: `${dir}/${folder}` };
        const { code, stdout, stderr } = await runInProcess(['prove', '--strict'], { env });
        expect(code, `${stdout}${stderr}`).to.equal(0);
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  it('change the catalog as a session sees it that reads only what can have changed', async () => {
    const { url } = await testServer();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(generatedMigrations, async (migrations) => {
        await inDatabase(url, `lockstep_test_again_${process.pid}_${(run += 1)}`, (database) =>
          withCatalogs(database, async (read) => {
            const steps = [...migrations.map(({ up }) => up), ...migrations.toReversed().map(({ down }) => down)];
            for (const sql of steps) {
              for (const statement of sql.includes('CONCURRENTLY') ? sql.split(';') : [sql])
                await execute(database, statement);
              expect(await read(), sql).to.deep.equal(await readCatalogOf(database));
            }
          }),
        );
      }),
      { numRuns: 2, endOnFailure: true },
    );
  });
});
