/** Lets winston write the lines of the log. */
import { setFlagsFromString } from 'node:v8';
import { createLogger, format, transports } from 'winston';

import type { Level } from '../../output/log/describe-event.ts';
import type { LineWriter, LogLine } from './log-line.ts';

export function openWinston(
  destination: NodeJS.WritableStream,
  level: Level,
  render: (line: LogLine) => string,
): LineWriter {
  const stream = new transports.Stream({ stream: destination });
  // winston's own also keeps each line until the event loop comes round, which a flood of lines prevents.
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
        // In a flood of lines V8 would let the space for new objects grow: on a machine with much memory, by more than 100 MB.
        setFlagsFromString('--semi-space-growth-factor=1');
      }
      logger.log(line);
    },
    async written() {
      // To end the logger says the same, but takes a replica that leaves the queue longer than all else that it does then.
      while (logger.writableLength + logger.readableLength + stream.writableLength > 0) await new Promise(setImmediate);
    },
  };
}
