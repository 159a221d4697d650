/** Draws a line at the bottom of a terminal again and again, and prints others above it. */

/** To the start of the line, and clear it (ECMA-48: CR, EL). */
const CLEAR = '\r\u001b[2K';
const EVERY_MS = 200;

/** The cursor stays visible and the modes of the terminal as they are: after a SIGKILL nothing has to be undone. */
export class LiveLine {
  readonly #stream: NodeJS.WritableStream;
  readonly #text: () => string;
  readonly #timer: NodeJS.Timeout;
  #shown = '';
  #closed = false;

  /** `text` is what it says now, narrower than the terminal; empty for no line. */
  constructor(stream: NodeJS.WritableStream, text: () => string) {
    this.#stream = stream;
    this.#text = text;
    // Its first time is late enough that nothing flickers in a short run.
    this.#timer = setInterval(() => this.draw(), EVERY_MS);
    this.#timer.unref();
  }

  draw(): void {
    const text = this.#closed ? '' : this.#text();
    if (text === this.#shown) return;
    this.#stream.write(`${CLEAR}${text}`);
    this.#shown = text;
  }

  /** Lines that stay. */
  print(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#stream.write(`${this.#shown === '' ? '' : CLEAR}${lines.join('\n')}\n`);
    this.#shown = '';
  }

  /** Clears it for good; `print` still works. */
  close(): void {
    clearInterval(this.#timer);
    this.#closed = true;
    this.draw();
  }
}
