/**
 * A fault hits a run at every single message that it sends to the server, and at every wait of its statements:
 * the next plain run completes without intervention, and the result equals that of a run without a fault.
 */
import { inDatabase } from '../support/databases.ts';
import { testServer } from '../support/server.ts';
import { AT_MESSAGES, IN_THE_MIDDLE } from './support/faults.ts';
import { sideBySide } from './support/side-by-side.ts';
import { findStops, record, tryPoint, type Point, type Recording, type Stop } from './support/trial.ts';
import { WALKED_FILES } from './support/walked-files.ts';

/** More trials than cores, as they spend much time waiting for processes to end. */
const LANES = Number(process.env['LOCKSTEP_FAULT_LANES'] ?? 4);
/** Tries only the points whose name contains this text, to repeat a single one. */
const ONLY = process.env['LOCKSTEP_FAULT_POINT'] ?? '';

describe('a run with one fault', function () {
  this.timeout(10 * 60_000);
  let serverUrl: string;
  let recording: Recording;
  let stops: readonly Stop[];
  let tried = 0;

  before('run without a fault', async function () {
    serverUrl = (await testServer(this)).url;
    await inDatabase(serverUrl, `lockstep_test_recording_${process.pid}`, async (url) => {
      recording = await record(url, WALKED_FILES);
      stops = await findStops(url, recording);
    });
    console.log(`      a run of ${recording.steps.length} messages, whose statements come to ${stops.length} stops`);
  });

  after(() => {
    console.log(`      ${tried} points tried; the plain run after each ended 0: none needed a person`);
  });

  async function tryAll(all: readonly Point[]): Promise<void> {
    const failures: string[] = [];
    let passed = 0;
    const items = all.filter((point) => nameOf(point).includes(ONLY));
    const startedAt = performance.now();
    await sideBySide({
      serverUrl,
      items,
      lanes: LANES,
      each: async (point, url) => {
        await tryPoint(url, recording, point).then(
          () => (passed += 1),
          (error: unknown) =>
            failures.push(`${nameOf(point)}\n${error instanceof Error ? error.message : String(error)}`),
        );
      },
    });
    tried += items.length;
    console.log(
      `        ${passed} of ${items.length} points in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`,
    );
    if (failures.length === 0) return;
    const names = failures.map((text) => text.split('\n', 1)[0]);
    throw new Error(
      `${failures.length} of ${items.length} points failed:\n${names.join('\n')}\n\n${failures.slice(0, 5).join('\n\n')}`,
    );
  }

  for (const fault of AT_MESSAGES) {
    it(`is completed by the next run: ${fault.name}, at every message`, () =>
      tryAll(recording.steps.filter(({ type }) => fault.at?.(type) ?? true).map((step) => ({ step, fault }))));
  }

  for (const fault of IN_THE_MIDDLE) {
    it(`is completed by the next run: ${fault.name}, at every wait of a statement`, () =>
      tryAll(stops.map((stop) => ({ ...stop, fault }))));
  }
});

/** For LOCKSTEP_FAULT_POINT. */
function nameOf({ step: { name, text }, fault, blocker }: Point): string {
  const at = blocker === undefined ? '' : ` (it waits for a ${blocker})`;
  return `${name} ${fault.name}${at}: ${text.replaceAll(/\s+/g, ' ').slice(0, 200)}`;
}
