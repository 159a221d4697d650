/** `prove` finds each wrong way back in one directory of them, and names the object and the file. */
import { expect } from 'chai';
import { randomBytes } from 'node:crypto';

import { MUTANTS, SCHEMA } from '../support/catalog-mutants.ts';
import { execute } from '../support/catalogs.ts';
import { runInProcess } from '../support/in-process.ts';
import { valid } from '../support/json-documents.ts';
import { testServer } from '../support/server.ts';
import { useWorkspace } from '../support/workspace.ts';

interface Version {
  readonly way: string;
  readonly differences: readonly {
    readonly object: string;
    readonly file: string;
    readonly change: string;
    readonly property?: string;
  }[];
}

describe('wrong down files', () => {
  const workspace = useWorkspace();
  const reader = `reader_${randomBytes(6).toString('hex')}`;

  before('make a role', async function () {
    await execute((await testServer(this)).url, `CREATE ROLE ${reader}`);
  });
  after('drop it', async () => execute((await testServer()).url, `DROP ROLE ${reader}`));

  it(`are found, all ${MUTANTS.length}`, async () => {
    const files: Record<string, string> = { '000_schema.up.sql': SCHEMA };
    for (const [at, [sql]] of MUTANTS.entries()) {
      const version = `${String(at + 1).padStart(3, '0')}_wrong`;
      files[`${version}.up.sql`] = 'SELECT 1;';
      files[`${version}.down.sql`] = sql;
    }
    for (const [name, text] of Object.entries(files)) files[name] = text.replaceAll('READER', reader);
    await workspace().write(files);
    const { serverUrl, dir } = workspace();
    const env = { LOCKSTEP_SCRATCH_URL: serverUrl, LOCKSTEP_DIR: dir };
    const { code, stdout, stderr } = await runInProcess(['prove', '--json', '--scratch-owned'], { env });
    expect(code, stderr).to.equal(25);
    const [, ...versions] = valid('prove', stdout)['versions'] as readonly Version[];
    const missed = MUTANTS.filter(([, object, what], at) => {
      const { differences = [] } = versions[at] ?? {};
      return !differences.some(
        (one) =>
          one.object === object &&
          one.file.endsWith('.down.sql') &&
          (what === undefined || what === (one.property ?? one.change)),
      );
    });
    expect(missed).to.deep.equal([]);
  }).timeout(180_000);
});
