/** The least that a waiter on Node must do: sleep until it is told, ask one thing, leave. */
import { once } from 'node:events';

import pg from 'pg';

const client = new pg.Client({ connectionString: process.env['DATABASE_URL'] ?? '' });
await client.connect();
const told = once(client, 'notification');
await client.query('LISTEN done');
process.stdout.write('waiting\n');
await told;
await client.query('SELECT 1');
process.exit(0);
