import { expect } from 'chai';

import type { Session } from '../../src/core/ports.ts';
import { migrations } from '../support/fakes/files.ts';
import { failure } from '../support/fakes/run.ts';
import { contractOf } from './contract.ts';

const FILES = migrations('001_a', '002_b');
const [A, B] = [FILES[0]!, FILES[1]!];

contractOf('Takeover', (given) => {
  const versions = async (): Promise<string[]> => (await given.applied()).map(({ version }) => version).sort();

  const importer = async (): Promise<Session> => {
    const session = await given.open('import');
    await session.configure();
    expect(await session.lock.tryAcquire()).to.equal(true);
    return session;
  };
  const imported = (...files: readonly (typeof A)[]) => files.map((one) => ({ migration: one, label: one.version }));

  it('finds the first table that exists, with its columns and rows', async () => {
    await given.place.makeForeignTable('theirs', '1', '2');
    await given.place.makeForeignTable('others');
    const { takeover } = await importer();
    expect(await takeover.foreignTable([{ name: 'none' }])).to.equal(undefined);
    const found = await takeover.foreignTable([{ name: 'none' }, { name: 'theirs' }, { name: 'others' }]);
    expect(found).to.deep.include({ columns: ['version'], rows: [{ version: '1' }, { version: '2' }] });
    expect(found!.name.name).to.equal('theirs');
    expect(await takeover.foreignTable([{ schema: found!.name.schema, name: 'others' }])).to.deep.include({
      columns: ['version'],
      rows: [],
    });
    expect(await takeover.foreignTable([{ schema: 'nowhere', name: 'others' }])).to.equal(undefined);
  });

  it('creates our tables, checksums, down SQL and journal', async () => {
    await given.place.makeForeignTable('theirs', '1');
    const { journal, takeover } = await importer();
    const found = await takeover.foreignTable([{ name: 'theirs' }]);
    expect(found!.renamedTo).to.equal(undefined);
    await takeover.takeOver(found!, imported(A, B));
    expect((await given.applied()).map(({ version, checksum }) => [version, checksum]).sort()).to.deep.equal([
      ['001_a', A.up.checksum],
      ['002_b', B.up.checksum],
    ]);
    expect(await given.events()).to.deep.equal(['baselined 001_a', 'baselined 002_b']);
    expect((await journal.storedDowns()).map(({ version }) => version)).to.deep.equal(['001_a', '002_b']);
    expect((await takeover.foreignTable([{ name: 'theirs' }]))?.rows).to.deep.equal([{ version: '1' }]);
  });

  it("renames a table that has our table's name", async () => {
    await given.place.makeForeignTable('schema_migrations', '1');
    const { history, takeover } = await importer();
    const found = await takeover.foreignTable([{ name: 'schema_migrations' }]);
    expect(await history.read()).to.deep.equal({ exists: false, applied: [] });
    expect(found!.renamedTo?.name).to.equal('schema_migrations_old');
    await takeover.takeOver(found!, imported(A));
    expect(await versions()).to.deep.equal(['001_a']);
    expect(await takeover.foreignTable([{ name: 'schema_migrations' }])).to.equal(undefined);
    expect((await takeover.foreignTable([{ name: 'schema_migrations_old' }]))?.rows).to.deep.equal([{ version: '1' }]);
  });

  it('is atomic', async () => {
    await given.place.makeForeignTable('theirs', '1');
    const { history, takeover } = await importer();
    const found = await takeover.foreignTable([{ name: 'theirs' }]);
    await failure(takeover.takeOver(found!, imported(A, A)));
    expect(await history.read()).to.deep.equal({ exists: false, applied: [] });
    await takeover.takeOver(found!, imported(A));
    expect(await versions()).to.deep.equal(['001_a']);
  });
});
