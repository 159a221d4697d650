/** The in-memory environment for a test of one command. */
import { Recorder } from '../recorder.ts';
import { FakeClock } from './clock.ts';
import { FakeDatabase } from './database.ts';
import { FakeServer } from './server.ts';

export interface CommandFakes {
  readonly clock: FakeClock;
  readonly server: FakeServer;
  readonly database: FakeDatabase;
  readonly recorder: Recorder;
  readonly controller: AbortController;
}

export function commandFakes(): CommandFakes {
  const server = new FakeServer();
  return {
    clock: new FakeClock(),
    server,
    database: new FakeDatabase(server),
    recorder: new Recorder(),
    controller: new AbortController(),
  };
}
