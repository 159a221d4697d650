/** A place in memory. */
import type { Session } from '../../src/core/ports.ts';
import { FakeDatabase, FakeSession } from '../support/fakes/database.ts';
import { FakeServer, type Peer } from '../support/fakes/server.ts';
import type { Place, Stranger } from './place.ts';

export function memoryPlace(): Place {
  const server = new FakeServer({ now: () => Date.now() });
  const opened: Session[] = [];
  const stranger = (peer: Peer): Stranger => ({
    pid: peer.pid,
    end: async () => {
      server.dismiss(peer);
    },
  });
  return {
    async open(runner) {
      const session = await new FakeDatabase(server).open(runner, new AbortController().signal);
      opened.push(session);
      return session;
    },
    async kill(session) {
      if (session instanceof FakeSession) session.lose();
    },
    async holdLock(applicationName) {
      const peer = server.stranger(applicationName);
      server.holder = peer;
      return stranger(peer);
    },
    async blockOnLock(applicationName) {
      const ended: PromiseWithResolvers<string> = Promise.withResolvers();
      const peer = server.admit(applicationName, {
        lose: () => undefined,
        wake: () => undefined,
        cancel: () => {
          server.blocked.delete(peer);
          ended.resolve('57014');
        },
      });
      server.blocked.add(peer);
      return { ...stranger(peer), ended: ended.promise };
    },
    async makeOriginalTable(...versions) {
      server.contents = { ...server.contents, history: new Map() };
      for (const version of versions) server.record(version, undefined);
    },
    async applyAsOriginal(version) {
      server.record(version, undefined);
    },
    async makeForeignTable(name, ...versions) {
      const rows = versions.map((version) => ({ version }));
      server.foreign = [...server.foreign, { name: { schema: 'public', name }, columns: ['version'], rows }];
    },
    async hasTable(name) {
      return server.contents.tables.has(name);
    },
    async makeInvalidIndex(name) {
      server.setIndex(`${name}_a`, 'invalid');
    },
    async close() {
      for (const session of opened) await session.close();
    },
  };
}
