/** The transport of the log: winston writes the lines, in order, and says when all are written. */
import { once } from 'node:events';
import { createLogger, format, transports } from 'winston';

import type { Level } from './describe-event.ts';
import type { LogLine, LineWriter } from './log-line.ts';

export function openWinston(destination: NodeJS.WritableStream, level: Level, render: (line: LogLine) => string): LineWriter {
  const stream = new transports.Stream({ stream: destination, eol: '\n' });
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's types take the class for an instance of it
  const logger = createLogger({ level, format: format.printf((info) => render(info as unknown as LogLine)), transports: stream });
  return {
    write: (line) => void logger.log(line),
    async close() {
      const finished = once(logger, 'finish');
      logger.end();
      await finished;
    },
  };
}
