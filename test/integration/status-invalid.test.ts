/** `status` names INVALID indexes of applied files: an older runner may have recorded a build that failed. */
import { expect } from 'chai';

import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { documentOf } from '../support/json-documents.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('status and INVALID indexes', () => {
  const workspace = useWorkspace();

  async function status(...more: string[]): Promise<CliResult> {
    const result = await runCli(['status', ...more], workspace());
    expectExit(result, 0);
    return result;
  }

  it('names those of applied files, and how to rebuild them, until they are rebuilt', async () => {
    await workspace().write({
      '1_t.up.sql': 'CREATE TABLE t (x int, y int, p int);',
      '2_bad.up.sql': 'CREATE UNIQUE INDEX CONCURRENTLY t_x ON t (x);\nCREATE INDEX CONCURRENTLY t_y ON t (y);',
      '3_odd.up.sql': 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "T x" ON t (x);',
      '4_parts.up.sql':
        'CREATE TABLE parts (x int) PARTITION BY RANGE (x);\nCREATE TABLE part PARTITION OF parts DEFAULT;\nCREATE INDEX parts_x ON ONLY parts (x);',
      '5_pending.up.sql': 'CREATE UNIQUE INDEX CONCURRENTLY t_p ON t (p);',
    });
    await workspace().query(
      'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    await workspace().query(`INSERT INTO schema_migrations VALUES ('1_t'), ('2_bad'), ('3_odd'), ('4_parts')`);
    for (const sql of [
      'CREATE TABLE t (x int, y int, p int)',
      'INSERT INTO t VALUES (1, 1, 1), (1, 2, 1)',
      'CREATE INDEX t_y ON t (y)',
      'CREATE TABLE parts (x int) PARTITION BY RANGE (x)',
      'CREATE TABLE part PARTITION OF parts DEFAULT',
      'CREATE INDEX parts_x ON ONLY parts (x)',
    ])
      await workspace().query(sql);
    // An older runner that ignores the failure leaves this state.
    for (const name of ['t_x', '"T x"', 't_p'])
      await workspace()
        .query(`CREATE UNIQUE INDEX CONCURRENTLY ${name} ON t (${name === 't_p' ? 'p' : 'x'})`)
        .catch(() => undefined);
    expect(await workspace().invalidIndexes()).to.deep.equal(['T x', 'parts_x', 't_p', 't_x']);

    const { migrations } = documentOf('status', await status('--json')) as {
      migrations?: { version: string; invalidIndexes?: string[] }[];
    };
    expect(
      migrations?.flatMap(({ version, invalidIndexes }) => (invalidIndexes ? [[version, ...invalidIndexes]] : [])),
    ).to.deep.equal([
      ['2_bad', 't_x'],
      ['3_odd', '"T x"'],
    ]);
    const { stdout } = await status();
    expect(stdout).to.include('INVALID: index t_x of 2_bad').and.include('REINDEX INDEX CONCURRENTLY "T x"');

    await workspace().query('UPDATE t SET x = y');
    for (const name of ['t_x', '"T x"']) await workspace().query(`REINDEX INDEX CONCURRENTLY ${name}`);
    expect((await status()).stdout).to.not.include('INVALID');
  });
});
