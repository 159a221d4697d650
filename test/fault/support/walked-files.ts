/** The migration files of the walk: every way in which a file runs, with no statement that may run twice. */
import { file, type Files } from '../../support/migrations.ts';

/** A hook may run twice, so it is idempotent. */
const hook = (name: string): string => `export default async ({ pool, version }) => {
  await pool.query("INSERT INTO marks VALUES ('hook of ' || $1) ON CONFLICT DO NOTHING", [version]);
  await pool.query("UPDATE marks SET name = name WHERE name = '${name}'");
};
`;

export const WALKED_FILES: Files = {
  ...file(
    1,
    'tables',
    `CREATE TYPE mood AS ENUM ('sad', 'fine');
CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, note text, mood mood NOT NULL DEFAULT 'fine');
INSERT INTO items SELECT n, n % 7, 'note ' || n FROM generate_series(1, 100) n;
CREATE INDEX items_old ON items (note);
CREATE TABLE parts (id int, day int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_new PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE INDEX parts_id ON parts (id);
INSERT INTO parts SELECT n, n FROM generate_series(0, 19) n;
CREATE TABLE marks (name text PRIMARY KEY);
CREATE TABLE tally (step text, n int);
INSERT INTO tally VALUES ('tables', 1);`,
  ),
  ...file(
    2,
    'column',
    `ALTER TABLE items ADD COLUMN price int;
UPDATE items SET price = id * 10;
UPDATE tally SET n = n + 1;
INSERT INTO tally VALUES ('column', 1);`,
  ),
  ...file(3, 'index', 'CREATE INDEX CONCURRENTLY items_kind ON items (kind);'),
  ...file(
    4,
    'hooked',
    `INSERT INTO tally SELECT name, 1 FROM marks;
UPDATE items SET price = price + 1;`,
  ),
  '004_hooked.before.mjs': hook('004_hooked'),
  ...file(
    5,
    'online',
    `SET walk.mark = 'online';
VACUUM items;
CREATE UNIQUE INDEX CONCURRENTLY items_price ON items (price);
CREATE INDEX CONCURRENTLY IF NOT EXISTS items_note ON items (note, kind);
ALTER TYPE mood ADD VALUE 'glad';
INSERT INTO tally VALUES (current_setting('walk.mark'), 1);
ALTER TABLE parts DETACH PARTITION parts_old CONCURRENTLY;
REINDEX INDEX CONCURRENTLY items_kind;
REINDEX TABLE CONCURRENTLY items;
DROP INDEX CONCURRENTLY items_old;
UPDATE tally SET n = n + 1;`,
  ),
  ...file(
    6,
    'hooked_index',
    `CREATE INDEX CONCURRENTLY items_mood ON items (mood);
UPDATE tally SET n = n + 1;`,
  ),
  '006_hooked_index.before.mjs': hook('006_hooked_index'),
  ...file(
    7,
    'blocks',
    `-- lockstep: no-transaction
BEGIN;
INSERT INTO tally VALUES ('blocks', 1);
UPDATE items SET mood = 'glad' WHERE kind = 1;
COMMIT;
REINDEX TABLE CONCURRENTLY parts;
DELETE FROM parts_old WHERE id = 3;`,
  ),
  ...file(
    8,
    'last',
    `INSERT INTO tally SELECT 'last', count(*) FROM items WHERE mood = 'glad';
DROP TABLE parts_old;
UPDATE tally SET n = n + 1;`,
  ),
};

/** The files of an older release. */
export const OLD_FILES: Files = Object.fromEntries(Object.entries(WALKED_FILES).filter(([name]) => name < '006'));

/** The files of the next release, whose run reports how earlier runs ended. */
export const NEXT_RELEASE: Files = file(9, 'next_release', 'CREATE TABLE next_release ();');
