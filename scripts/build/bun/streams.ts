/**
 * Answers: when is everything written? Bun calls back at once for an empty text, although what was written before still
 * waits for a slow reader (oven-sh/bun#33508 is about the same), and a process that ends then loses it. Here such a text
 * waits for those before it, as in Node.
 */
type Done = (error?: Error | null) => void;

for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream) as (
    chunk: Uint8Array | string,
    encoding: BufferEncoding,
    done: Done,
  ) => boolean;
  let unwritten = 0;
  let waiting: (Done | undefined)[] = [];
  stream.write = (chunk: Uint8Array | string, ...rest: (BufferEncoding | Done | undefined)[]): boolean => {
    const done = rest.find((value) => typeof value === 'function');
    if (chunk.length === 0 && unwritten > 0) {
      waiting.push(done);
      return true;
    }
    unwritten += 1;
    const encoding = rest.find((value) => typeof value === 'string') ?? 'utf8';
    return write(chunk, encoding, (error) => {
      unwritten -= 1;
      done?.(error);
      if (unwritten > 0) return;
      const ended = waiting;
      waiting = [];
      for (const tell of ended) tell?.();
    });
  };
}
