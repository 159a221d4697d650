// As a user of umzug with PostgreSQL and plain SQL files would have it: a resolver, and a storage in a table.
//   node umzug.mjs up
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { Umzug } from 'umzug';

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
await client.query('CREATE TABLE IF NOT EXISTS umzug_migrations (name text PRIMARY KEY)');

const umzug = new Umzug({
  migrations: {
    glob: 'migrations/*.up.sql',
    resolve: ({ name, path, context }) => ({
      name,
      up: async () => context.query(await readFile(path, 'utf8')),
      down: async () => context.query(await readFile(path.replace('.up.sql', '.down.sql'), 'utf8')),
    }),
  },
  context: client,
  storage: {
    executed: async ({ context }) =>
      (await context.query('SELECT name FROM umzug_migrations ORDER BY name')).rows.map(({ name }) => name),
    logMigration: async ({ name, context }) => {
      await context.query('INSERT INTO umzug_migrations (name) VALUES ($1)', [name]);
    },
    unlogMigration: async ({ name, context }) => {
      await context.query('DELETE FROM umzug_migrations WHERE name = $1', [name]);
    },
  },
  logger: console,
});

const done = await umzug.runAsCLI();
await client.end();
process.exitCode = done ? 0 : 1;
