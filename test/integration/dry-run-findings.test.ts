/** `up --dry-run` reports what `validate` finds in pending files, with the tables as the server knows them. */
import { expect } from 'chai';

import { documentOf } from '../support/json-documents.ts';
import { runCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

const TABLES = `CREATE TABLE items (id int, note text CHECK (note IS NOT NULL));
CREATE INDEX items_id ON items (id);
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
INSERT INTO items SELECT n, 'note' FROM generate_series(1, 1000) n;
INSERT INTO parts SELECT generate_series(1, 50);`;

interface Found {
  readonly rule: string;
  readonly line: number;
  readonly tables: readonly {
    name: string;
    rows: number;
    bytes: number;
    usedBy: readonly { applicationName: string }[];
  }[];
}

describe('the findings of a dry run', () => {
  const workspace = useWorkspace();

  beforeEach(async () => {
    await workspace().write(file(1, 'tables', TABLES));
    await up(workspace());
    await workspace().query('ANALYZE');
  });

  async function dryRun(): Promise<readonly (readonly Found[])[]> {
    const result = await runCli(['up', '--dry-run', '--json'], workspace());
    const { wouldRun } = documentOf('outcome', result) as { wouldRun: { findings?: readonly Found[] }[] };
    return wouldRun.map(({ findings = [] }) => findings);
  }

  const short = ({ rule, tables }: Found): string =>
    [rule, ...tables.map(({ name, rows }) => `${name} ${rows}`)].join(': ');

  it('have the size of each table, also of an index and of partitions', async () => {
    await workspace().write({
      ...file(2, 'more', 'DROP INDEX items_id;\nALTER TABLE items ADD CONSTRAINT c CHECK (id > 0);'),
      ...file(3, 'parts', 'UPDATE parts SET id = id;'),
      ...file(
        4,
        'fine',
        'ALTER TABLE items ALTER note SET NOT NULL; CREATE TABLE fresh (a int); CREATE INDEX ON fresh (a);',
      ),
    });
    const found = await dryRun();
    expect(found.map((one) => one.map(short))).to.deep.equal([
      ['drop-index-not-concurrent: items 1000', 'check-validated-at-once: items 1000'],
      ['update-all-rows: parts 50'],
      [],
    ]);
    expect(found.flat().map(({ line }) => line)).to.deep.equal([1, 2, 1]);
    for (const { tables } of found.flat()) expect(tables[0]!.bytes).to.be.greaterThan(8_000);
  });

  it('say who uses a table now, also where its lock would make others wait', async () => {
    await workspace().write(file(2, 'check', 'ALTER TABLE items ADD CONSTRAINT c CHECK (id > 0);'));
    const report = await workspace().client({ application_name: 'long report' });
    await report.query('BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE');
    const [[found] = []] = await dryRun();
    expect(found!.tables[0]!.usedBy.map(({ applicationName }) => applicationName)).to.deep.equal(['long report']);
    const { stdout } = await runCli(['up', '--dry-run'], workspace());
    expect(stdout).to.match(
      /warning in line 1: checks all rows .* \[check-validated-at-once\]\n {6}table \S+\.items: \d+ kB, about 1000 rows, in use by "long report" \(pid \d+\) idle in transaction since /,
    );
  });
});
