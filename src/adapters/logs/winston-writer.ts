/** Writes log lines with winston. */
import { setFlagsFromString } from 'node:v8';
import { createLogger, format, transports } from 'winston';

import type { Level } from '../../output/log/description.ts';
import type { LineWriter, LogLine } from './log-line.ts';

export function openWinston(
  destination: NodeJS.WritableStream,
  level: Level,
  render: (line: LogLine) => string,
): LineWriter {
  const stream = new transports.Stream({ stream: destination });
  // winston's own method also keeps each line until the next turn of the event loop, which a flood of lines delays.
  stream.log = (line: LogLine, next: () => void) => {
    destination.write(`${render(line)}\n`, line.written);
    next();
  };
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's types take the class for an instance of it
  const logger = createLogger({ level, format: format((info) => info)(), transports: stream });
  let grows = true;
  return {
    write(line, { crowded }) {
      if (crowded && grows) {
        grows = false;
        // In a flood of lines, V8 would grow the space for new objects: on a machine with much memory, by more than 100
        // MB.
        setFlagsFromString('--semi-space-growth-factor=1');
      }
      logger.log(line);
    },
    async written() {
      // Ending the logger would wait as well, but that takes a waiter longer than all its other work at its end.
      while (logger.writableLength + logger.readableLength + stream.writableLength > 0) await new Promise(setImmediate);
    },
  };
}
