import { expect } from 'chai';

import { migration, migrations } from '../support/fakes/files.ts';
import { failure } from '../support/fakes/run.ts';
import { contractOf } from './contract.ts';

const [A, B, C] = migrations('001_a', '002_b', '003_c') as [
  ReturnType<typeof migration>,
  ReturnType<typeof migration>,
  ReturnType<typeof migration>,
];

contractOf('History', (given) => {
  const versions = async (): Promise<string[]> => (await given.applied()).map(({ version }) => version).sort();

  describe('its tables', () => {
    it('do not exist at first, and a check reports that', async () => {
      const session = await given.open();
      expect(await session.check()).to.deep.include({ history: { exists: false, applied: [] } });
      expect(await session.history.read()).to.deep.equal({ exists: false, applied: [] });
      expect(await session.journal.read()).to.deep.equal([]);
    });

    it('exist once created, for other sessions too', async () => {
      const [other, session] = [await given.open('status'), await given.holder()];
      expect(await session.history.read()).to.deep.equal({ exists: true, applied: [] });
      for (const look of [1, 2])
        expect((await session.check()).history, `look ${look}`).to.deep.equal({ exists: true, applied: [] });
      expect(await other.check()).to.deep.include({ history: { exists: true, applied: [] } });
    });

    it('are created once, however often ensureTables is called', async () => {
      const session = await given.holder();
      await session.history.baseline([A]);
      await session.history.ensureTables();
      await session.close();
      // This session knows the tables from its check.
      const next = await given.holder();
      await next.history.ensureTables();
      expect(await versions()).to.deep.equal(['001_a']);
      expect(await given.events()).to.deep.equal(['baselined 001_a']);
    });

    it('may have been created since the check, by another session that held the lock in between', async () => {
      const session = await given.open();
      const other = await given.holder('pod-b');
      await other.history.baseline([A]);
      await other.lock.release();
      await session.configure();
      expect(await session.lock.tryAcquire()).to.equal(true);
      await session.history.ensureTables();
      expect((await session.history.read()).applied.map(({ version }) => version)).to.deep.equal(['001_a']);
    });

    it('of the original Go runner are taken over in place', async () => {
      await given.place.makeOriginalTable('001_a', '002_b');
      const session = await given.open();
      const before = await session.check();
      expect(before.history.exists).to.equal(true);
      expect(before.history.applied.map(({ version, checksum }) => [version, checksum])).to.deep.equal([
        ['001_a', undefined],
        ['002_b', undefined],
      ]);
      expect(await session.journal.read()).to.deep.equal([]);
      await session.lock.tryAcquire();
      await session.history.ensureTables();
      expect((await session.history.read()).applied).to.deep.equal(before.history.applied);
    });

    it('of the original Go runner stay writable for it', async () => {
      await given.place.makeOriginalTable('001_a');
      await given.holder();
      await given.place.applyAsOriginal('002_b');
      expect(await versions()).to.deep.equal(['001_a', '002_b']);
    });
  });

  describe('checksums', () => {
    it('are filled in for rows that have none, and stay the same for others', async () => {
      await given.place.makeOriginalTable('001_a');
      const session = await given.holder();
      const changed = migration('002_b', 'another text');
      await session.history.baseline([changed]);
      await session.history.completeChecksums([A, B, C]);
      const rows = (await given.applied()).map((row) => [row.version, row.checksum]).sort();
      expect(rows).to.deep.equal([
        ['001_a', A.up.checksum],
        ['002_b', changed.up.checksum],
      ]);
    });

    it('cause no write when none is missing', async () => {
      const session = await given.holder();
      await session.history.completeChecksums([]);
      expect(await versions()).to.deep.equal([]);
    });
  });

  describe('a baseline', () => {
    it('records versions with checksums, time and journal', async () => {
      const session = await given.holder();
      await session.history.baseline([A, B]);
      const rows = [...(await given.applied())].sort((a, b) => a.version.localeCompare(b.version));
      expect(rows.map((row) => [row.version, row.checksum])).to.deep.equal([
        ['001_a', A.up.checksum],
        ['002_b', B.up.checksum],
      ]);
      for (const { appliedAt } of rows) expect(Math.abs(Date.now() - appliedAt!.getTime())).to.be.lessThan(60_000);
      expect(await given.events()).to.deep.equal(['baselined 001_a', 'baselined 002_b']);
    });

    it('is all or nothing', async () => {
      const session = await given.holder();
      await session.history.baseline([B]);
      await failure(session.history.baseline([A, B]));
      expect(await versions()).to.deep.equal(['002_b']);
      expect(await given.events()).to.deep.equal(['baselined 002_b']);
      await session.history.baseline([C]);
      expect(await versions()).to.deep.equal(['002_b', '003_c']);
    });

    it('of no versions writes nothing', async () => {
      const session = await given.holder();
      await session.history.baseline([]);
      expect(await given.events()).to.deep.equal([]);
    });
  });

  describe('a repair', () => {
    it('accepts a changed file, and keeps its down SQL', async () => {
      const session = await given.holder();
      await session.history.baseline([A]);
      const changed = migration('001_a', 'SELECT 2', 'SELECT 3');
      await session.history.repair([{ type: 'accept checksum', migration: changed }]);
      expect((await given.applied()).map((row) => row.checksum)).to.deep.equal([changed.up.checksum]);
      expect(await session.journal.storedDowns(['001_a'])).to.deep.equal([
        { version: '001_a', checksum: A.down!.checksum, irreversible: false, sql: A.down!.text },
      ]);
    });

    it('may mark a version as irreversible, and keeps its down SQL', async () => {
      const session = await given.holder();
      await session.history.baseline([A, B]);
      await session.journal.markIrreversible(['001_a']);
      await session.journal.markIrreversible([]);
      expect(await session.journal.storedDowns(['001_a'])).to.deep.equal([
        { version: '001_a', checksum: A.down!.checksum, irreversible: true, sql: A.down!.text },
        { version: '002_b', checksum: B.down!.checksum, irreversible: false },
      ]);
    });

    it('replaces stored down SQL, and does not change the history', async () => {
      const session = await given.holder();
      await session.history.baseline([A, B]);
      const checksums = async () =>
        (await session.journal.storedDowns()).map(({ version, checksum }) => [version, checksum]);
      expect(await checksums()).to.deep.equal([
        ['001_a', A.down!.checksum],
        ['002_b', B.down!.checksum],
      ]);
      await session.history.repair([
        { type: 'replace down', migration: migration('001_a', A.up.text, null), kept: A.down!.text },
      ]);
      expect(await checksums()).to.deep.equal([
        ['001_a', undefined],
        ['002_b', B.down!.checksum],
      ]);
      expect((await given.applied()).find(({ version }) => version === '001_a')?.checksum).to.equal(A.up.checksum);
    });
  });
});
