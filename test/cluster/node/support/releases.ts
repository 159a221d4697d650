/** The releases of a shop: the migration files in the images, by tag. */
import type { Files } from '../../../support/migrations.ts';

const FIRST: Files = {
  '001_create_users.up.sql':
    'CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL);\n',
  '001_create_users.down.sql': 'DROP TABLE users;\n',
  '002_index_users_email.up.sql': 'CREATE INDEX CONCURRENTLY users_email ON users (email);\n',
  '002_index_users_email.down.sql': 'DROP INDEX CONCURRENTLY users_email;\n',
};

const SECOND: Files = {
  ...FIRST,
  '003_add_total.up.sql': 'ALTER TABLE users\n  ADD COLUMN total int;\n',
  '003_add_total.down.sql': 'ALTER TABLE users DROP COLUMN total;\n',
};

/** While a session holds this advisory key, the migrations that pass the gate wait. */
export const GATE_KEY = '4242';
const PASS_GATE = `SELECT pg_advisory_xact_lock(${GATE_KEY});\n`;

/**
 * Only on its first run: the kernel then kills it (out of memory). By one allocation, which nothing can interrupt: a hook
 * whose memory grows is ended by --hook-memory.
 */
const EATS_MEMORY = `
export default async ({ pool }) => {
  await pool.query('CREATE TABLE IF NOT EXISTS visits (at timestamptz)');
  await pool.query('INSERT INTO visits VALUES (now())');
  const { rows } = await pool.query('SELECT count(*)::int AS visits FROM visits');
  if (rows[0].visits > 1) return;
  Buffer.alloc(2 ** 30, 1);
};
`;

export const RELEASES = {
  v1: FIRST,
  v2: SECOND,
  'v2-broken': { ...SECOND, '003_add_total.up.sql': 'ALTER TABLE users\n  ADD COLUMN total inte;\n' },
  slow: { ...SECOND, '004_pass_gate.up.sql': PASS_GATE, '004_pass_gate.down.sql': 'SELECT 1;\n' },
  hungry: { ...FIRST, '003_eat.up.sql': PASS_GATE, '003_eat.before.mjs': EATS_MEMORY },
} satisfies Readonly<Record<string, Files>>;

export type Release = keyof typeof RELEASES;
