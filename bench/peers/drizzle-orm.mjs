// As the documentation of drizzle-orm shows its migrator.
import pg from 'pg';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
await migrate(drizzle(client), { migrationsFolder: './drizzle' });
await client.end();
