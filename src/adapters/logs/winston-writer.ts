/** Lets winston write the lines of the log. */
import { createLogger, format, transports } from 'winston';

import type { Level } from './describe-event.ts';
import type { LineWriter, LogLine } from './log-line.ts';

export function openWinston(destination: NodeJS.WritableStream, level: Level, render: (line: LogLine) => string): LineWriter {
  const stream = new transports.Stream({ stream: destination, eol: '\n' });
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's types take the class for an instance of it
  const logger = createLogger({ level, format: format.printf((info) => render(info as unknown as LogLine)), transports: stream });
  return {
    write: (line) => void logger.log(line),
    async close() {
      // To end the logger says the same, but takes a replica that leaves the queue longer than all else that it does then.
      while (logger.writableLength + logger.readableLength + stream.writableLength > 0) await new Promise(setImmediate);
    },
  };
}
