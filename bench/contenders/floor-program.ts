/** The least that any migrator on Node must do: connect with `pg`, ask one thing, leave. */
import pg from 'pg';

const client = new pg.Client({ connectionString: process.env['DATABASE_URL'] ?? '' });
await client.connect();
await client.query('SELECT 1');
await client.end();
