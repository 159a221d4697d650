/**
 * A hook's output, from log() or its thread's stdout and stderr: lines are bounded, and the hook waits until the log is
 * written.
 */
import { boundedWords } from '../../../core/server-words.ts';

/** Added to the length of each line, for its message and event. */
const LINE = 200;
/** The most characters that may be unwritten. */
const MOST_ON_THE_WAY = 100_000;
/** The most characters to keep without a line break. */
const MOST_PENDING = 16_000;

export class HookLog {
  readonly #onTheWay: Int32Array;
  readonly #send: (message: string, size: number) => void;

  constructor(onTheWay: SharedArrayBuffer, send: (message: string, size: number) => void) {
    this.#onTheWay = new Int32Array(onTheWay);
    this.#send = send;
  }

  /** Blocks the thread while too much is unwritten. */
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

  /** Captures what is written to a stream. Returns a function that sends the rest, which has no line break. */
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
