/** What a hook says, by log() or on its thread's stdout and stderr: no faster than it is written, and no line too long. */
import { boundedWords } from '../../../core/server-words.ts';

/** A line counts for more than its characters: it is a message and an event. */
const LINE = 200;
/** That much may be on its way. */
const MOST_ON_THE_WAY = 100_000;
/** Without a line break. */
const MOST_PENDING = 16_000;

export class HookLog {
  readonly #onTheWay: Int32Array;
  readonly #send: (message: string, size: number) => void;

  constructor(onTheWay: SharedArrayBuffer, send: (message: string, size: number) => void) {
    this.#onTheWay = new Int32Array(onTheWay);
    this.#send = send;
  }

  /** Waits, and the thread with it, while too much is on its way. */
  say(text: string): void {
    if (text === '') return;
    const line = boundedWords(text);
    const size = line.length + LINE;
    for (let now = Atomics.load(this.#onTheWay, 0); now > MOST_ON_THE_WAY; now = Atomics.load(this.#onTheWay, 0)) {
      Atomics.wait(this.#onTheWay, 0, now, 1_000);
    }
    Atomics.add(this.#onTheWay, 0, size);
    this.#send(line, size);
  }

  /** Takes over what is written to a stream. Returns what says the rest of it, which has no line break. */
  capture(stream: NodeJS.WritableStream): () => void {
    const decoder = new TextDecoder();
    let pending = '';
    const say = (): void => {
      this.say(pending);
      pending = '';
    };
    const write = (chunk: string | Uint8Array, _encoding: unknown, done: () => void): void => {
      const lines = (pending + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))).split(
        '\n',
      );
      pending = lines.pop() ?? '';
      for (const line of lines) this.say(line);
      if (pending.length > MOST_PENDING) say();
      done();
    };
    Object.assign(stream, { _write: write, _writev: undefined });
    return say;
  }
}
