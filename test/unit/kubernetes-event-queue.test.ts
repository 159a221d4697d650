import { expect } from 'chai';

import { eventObject } from '../../src/adapters/kubernetes/event-object.ts';
import { EventQueue, type EventQueuePorts, type MakeEvent } from '../../src/adapters/kubernetes/event-queue.ts';
import { PostError, type Poster } from '../../src/adapters/kubernetes/poster.ts';
import { FakeClock } from '../support/fakes/clock.ts';

/** The API server's reaction to the next post: an answer, a failure, or none. */
type Answer = 'created' | 'silence' | PostError;

class Server implements Poster {
  readonly posted: { note: string; name: string; atMs: number }[] = [];
  readonly #answers: Answer[];
  readonly #clock: FakeClock;

  /** The last answer repeats. */
  constructor(clock: FakeClock, answers: readonly Answer[]) {
    this.#clock = clock;
    this.#answers = [...answers];
  }

  async post(event: Parameters<Poster['post']>[0], signal: AbortSignal): Promise<void> {
    this.posted.push({ note: event.note, name: event.metadata.name, atMs: this.#clock.now() });
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    if (answer instanceof PostError) throw answer;
    if (answer !== 'silence') return;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    throw new PostError('no answer');
  }
}

function status(code: number, retryAfterMs?: number): PostError {
  return new PostError(`answered ${code}`, { status: code, retryAfterMs });
}

interface Trial {
  readonly queue: EventQueue;
  readonly server: Server;
  readonly clock: FakeClock;
  readonly warnings: string[];
  readonly opened: () => number;
}

function trial(answers: readonly Answer[], open?: EventQueuePorts['open']): Trial {
  let draw = 0;
  const clock = new FakeClock(() => (draw = (draw + 0.1) % 1));
  const server = new Server(clock, answers);
  const warnings: string[] = [];
  let opened = 0;
  const opening = async (): Promise<Poster> => {
    opened += 1;
    return open ? await open() : server;
  };
  const queue = new EventQueue({ open: opening, clock, warn: (message) => warnings.push(message) });
  return { queue, server, clock, warnings, opened: () => opened };
}

function event(note: string): MakeEvent {
  return (moment) =>
    eventObject({ reason: 'MigrationStarted', note }, 'up', { namespace: 'n', pod: 'p', initContainer: false }, moment);
}

function notes({ server }: Trial): string[] {
  return server.posted.map(({ note }) => note);
}

/** Sends these and waits as long as the end of a run does. */
async function send(one: Trial, texts: readonly string[], ms = 3_000): Promise<void> {
  for (const text of texts) one.queue.add(event(text));
  await one.clock.until(one.queue.flush(ms));
}

describe('EventQueue', () => {
  it('sends one at a time, in order, through a client opened at the first', async () => {
    const one = trial(['created']);
    expect(one.opened()).to.equal(0);
    await send(one, ['a', 'b', 'c']);
    expect(notes(one)).to.deep.equal(['a', 'b', 'c']);
    expect(one.opened()).to.equal(1);
    expect(one.warnings).to.deep.equal([]);
  });

  for (const code of [401, 403]) {
    it(`stops for the run after ${code} and warns once`, async () => {
      const one = trial([status(code), 'created']);
      await send(one, ['a', 'b', 'c']);
      expect(notes(one)).to.deep.equal(['a']);
      expect(one.warnings).to.deep.equal([`this run sends no more Kubernetes Events: answered ${code}`]);
    });
  }

  it('retries a name conflict once, at once, with another name', async () => {
    const one = trial([status(409), 'created']);
    await send(one, ['a']);
    const [first, second] = one.server.posted;
    expect(second).to.deep.include({ note: 'a', atMs: first?.atMs });
    expect(second?.name).to.not.equal(first?.name);
    expect(one.warnings).to.deep.equal([]);
  });

  it('gives up after a second name conflict', async () => {
    const one = trial([status(409)]);
    await send(one, ['a']);
    expect(notes(one)).to.deep.equal(['a', 'a']);
    expect(one.warnings).to.have.length(1);
  });

  for (const [answer, pauseMs] of [
    [status(429), 500],
    [status(429, 1_000), 1_000],
    [status(503), 500],
  ] as const) {
    it(`retries once after ${answer.status}, in ${pauseMs} ms`, async () => {
      const one = trial([answer, 'created']);
      await send(one, ['a', 'b']);
      expect(notes(one)).to.deep.equal(['a', 'a', 'b']);
      expect(one.server.posted[1]?.atMs).to.equal(pauseMs);
      expect(one.warnings).to.deep.equal([]);
    });
  }

  it('limits the pause that the server asks for to the time of a post', async () => {
    const one = trial([status(429, 60_000), 'created']);
    await send(one, ['a', 'b']);
    expect(notes(one)).to.deep.equal(['a', 'b']);
    expect(one.server.posted[1]?.atMs).to.equal(2_000);
  });

  it('drops an Event that is refused for another reason, continues, and warns once', async () => {
    const one = trial([status(422), new PostError('connect ECONNREFUSED'), 'created']);
    await send(one, ['a', 'b', 'c']);
    expect(notes(one)).to.deep.equal(['a', 'b', 'c']);
    expect(one.warnings).to.deep.equal(['could not send a Kubernetes Event: answered 422']);
  });

  it('waits 2 s per post for a silent server, and 3 s in all at the end of the run', async () => {
    const one = trial(['silence']);
    await send(one, ['a', 'b', 'c']);
    expect(one.server.posted.map(({ note, atMs }) => ({ note, atMs }))).to.deep.equal([
      { note: 'a', atMs: 0 },
      { note: 'b', atMs: 2_000 },
    ]);
    expect(one.clock.now()).to.equal(3_000);
    // The run continues meanwhile: later Events are sent when the server answers again.
    const later = trial(['silence', 'created']);
    later.queue.add(event('a'));
    await later.clock.advance(10_000);
    await send(later, ['b']);
    expect(notes(later)).to.deep.equal(['a', 'b']);
  });

  it('sends nothing after the end', async () => {
    const one = trial(['created']);
    await send(one, ['a']);
    one.queue.add(event('b'));
    await one.clock.advance(1_000);
    expect(notes(one)).to.deep.equal(['a']);
  });

  it('stops and warns once when there is no client', async () => {
    const one = trial(['created'], () => Promise.reject(new Error('it needs Node 22.19')));
    await send(one, ['a', 'b']);
    expect(one.opened()).to.equal(1);
    expect(one.warnings).to.deep.equal(['this run sends no more Kubernetes Events: it needs Node 22.19']);
  });

  it('keeps the time of the event', async () => {
    const one = trial(['silence', 'created']);
    const times: number[] = [];
    for (const note of ['a', 'b']) {
      one.queue.add((moment) => {
        times.push(moment.now);
        return event(note)(moment);
      });
    }
    await one.clock.advance(5_000);
    await one.clock.until(one.queue.flush(3_000));
    expect(times).to.deep.equal([0, 0]);
  });
});
