// Answers: how do I get a PostgreSQL to try something on? Runs one until Ctrl-C: npm run postgres -- PORT.
import { basename, dirname } from 'node:path';

import { startPostgres } from './postgres/server.ts';

const port = Number(process.argv[2] ?? 0);
const server = await startPostgres(port === 0 ? {} : { port });
console.log(
  `PostgreSQL is ready: ${server.url}\nCtrl-C stops it and removes its data (${basename(dirname(server.dataDir))}).`,
);
const timer = setInterval(() => undefined, 1 << 30);
const end = (): void => {
  clearInterval(timer);
  void server.stop().catch((error: unknown) => console.error(error));
};
process.once('SIGINT', end);
process.once('SIGTERM', end);
