/**
 * Ten thousand files with nasty names and contents: `validate` and `up` always end with a documented exit code, and
 * show no secret. LOCKSTEP_SEED=<number> generates other files than CI.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { within } from '../support/bounded.ts';
import { runCli } from '../support/cli.ts';
import { ownServer } from '../support/server.ts';
import { useWorkspace } from '../support/workspace.ts';
import { runInProcess } from '../support/in-process.ts';

const SEED = Number(process.env['LOCKSTEP_SEED'] ?? 20_240_501);
/** Nasty names: many in one directory, most of which are refused. */
const MANY = { directories: 150, files: 60 };
/** Nasty contents with ordinary names: a few in one directory, so that they run. */
const FEW = { directories: 250, files: 4 };
const BY_COMMAND_LINE = 12;

const CANARY = 'c4nary-s3cret';

/** The documented exit codes of these commands; 1 is a bug. */
const VALIDATE_CODES = [0, 21, 22];
const UP_CODES = [0, 21, 22, 23, 30, 32, 34, 40, 41];

interface NastyFile {
  readonly name: Buffer;
  readonly content: Buffer;
}

const text = (...words: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...words);
const repeated = (word: string, max: number): fc.Arbitrary<string> =>
  fc.integer({ min: 1, max }).map((times) => word.repeat(times));

const NASTY_WORDS = text(
  ...[
    'a',
    'add users',
    "it's",
    '"quoted"',
    '$1',
    '$$',
    '%s%n',
    '`id`',
    '$(id)',
    '; DROP TABLE x; --',
    '\\',
    "\\'",
    '\\u0000',
    '..',
    '.',
    '-',
    '--help',
  ],
  ...[
    '\n',
    '\r\n',
    '\t',
    '\u001b[31m',
    '\u0007',
    '\u007f',
    '\u0085',
    '\u200b',
    '\u202e',
    '\ufeff',
    '\u2028',
    'é',
    'é',
    '日本語',
    '🚀',
    '👩‍👩‍👧',
    'İ',
    'ß',
  ],
  ...[
    '.up.sql',
    '.down.sql',
    '.sql',
    '.before.mjs',
    '.UP.SQL',
    '.bak',
    '~',
    '#',
    ' ',
    '',
    'null',
    '__proto__',
    'constructor',
    'toString',
  ],
);
const WORD = fc.oneof(
  { weight: 5, arbitrary: NASTY_WORDS },
  fc.string({ unit: 'binary', maxLength: 12 }),
  repeated('long_', 60),
);
const NUMBER = fc.oneof(
  fc.nat({ max: 40 }).map(String),
  fc.nat({ max: 40 }).map((number) => String(number).padStart(6, '0')),
  text(
    '20240501123456',
    '99999999999999999999999999999999',
    '0',
    '00',
    '-1',
    '1.5',
    '1e3',
    '0x1f',
    '１',
    '٣',
    '',
    ' 1',
    '+1',
  ),
);
const KIND = fc.oneof(
  { weight: 6, arbitrary: text('.up.sql') },
  { weight: 2, arbitrary: text('.down.sql') },
  NASTY_WORDS,
);

/** Limits a text to a valid file name: no slash, no NUL, 255 bytes. */
function asName(bytes: Buffer): Buffer {
  const name = Buffer.from(bytes.filter((byte) => byte !== 0 && byte !== 0x2f)).subarray(0, 255);
  return name.length === 0 || name.equals(Buffer.from('.')) || name.equals(Buffer.from('..'))
    ? Buffer.from('empty')
    : name;
}

const NASTY_NAME: fc.Arbitrary<Buffer> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(NUMBER, text('_', '_', '_', '-', ''), WORD, WORD, KIND)
      .map((parts) => asName(Buffer.from(parts.join('')))),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.uint8Array({ maxLength: 30 }), KIND)
      .map(([bytes, kind]) => asName(Buffer.concat([Buffer.from('7_'), bytes, Buffer.from(kind)]))),
  },
);
/** Usually the name of a migration, unless the random words change it. */
const PLAIN_NAME = fc
  .tuple(
    fc.nat({ max: 99 }),
    fc.constantFrom("it's", 'a b', '\\', "\\'", 'é🚀', '$$', '\u001b[31m', '\n', '"', '%s', 'plain'),
  )
  .map(([number, word]) => asName(Buffer.from(`${number}_${word}.up.sql`)));

/** Each names a role that does not exist, so that it fails after parsing. */
const SECRETS = text(
  ...[
    `'${CANARY}'`,
    `E'${CANARY}'`,
    `e'a\\'${CANARY}'`,
    `U&'${CANARY}'`,
    `'a''${CANARY}'`,
    `$$${CANARY}$$`,
    `$tag$${CANARY}$tag$`,
  ].flatMap((secret) => [
    `ALTER ROLE not_there PASSWORD ${secret}`,
    `ALTER ROLE not_there WITH ENCRYPTED PASSWORD ${secret} VALID UNTIL 'never'`,
    `alter role not_there password${secret.startsWith("'") ? '' : ' '}${secret}`,
    `ALTER ROLE not_there PASSWORD\n\t/* a comment */ -- another\n${secret} nonsense`,
    `SELECT 1/0; ALTER ROLE not_there PASSWORD ${secret}`,
    `ALTER USER MAPPING FOR not_there SERVER not_there OPTIONS (SET user 'x', SET password ${secret})`,
    `DO $do$ BEGIN ALTER ROLE not_there PASSWORD ${secret}; END $do$`,
    `DO $do$ BEGIN EXECUTE 'ALTER ROLE not_there PASSWORD ${secret.replaceAll("'", "''")}'; END $do$`,
  ]),
  `DO $do$ BEGIN EXECUTE 'ALTER ROLE not_there PASSWORD ' || quote_literal('${CANARY}'); END $do$`,
  `DO $do$ BEGIN EXECUTE format('ALTER ROLE not_there PASSWORD %L', '${CANARY}'); END $do$`,
  `UPDATE not_there SET password = md5('${CANARY}')`,
  `SELECT '{"user": "x", "password": "${CANARY}"}'::int`,
  `ALTER ROLE not_there PASSWORD '${CANARY}`,
  `ALTER ROLE not_there PASSWORD $$${CANARY}`,
  `ALTER ROLE not_there PASSWORD ''\n'${CANARY}'`,
  `SELECT 'postgres://app:${CANARY}@db/shop'::int`,
  `SELECT 'host=db user=app password=${CANARY}'::int`,
);

/** Usually refused before anything runs. */
const REFUSED = text(
  ...[
    'COPY t FROM STDIN;\n1\n2\n\\.\n',
    'COPY t TO STDOUT',
    '\\d',
    '\\i other.sql',
    '\\! id',
    'SELECT 1 \\gexec',
    '\\unrestrict abc',
    '\\',
    'DISCARD ALL',
    'SELECT pg_advisory_unlock_all()',
  ],
  ...[
    'BEGIN',
    'COMMIT',
    'ROLLBACK',
    '\\restrict abc',
    "PREPARE TRANSACTION 'x'",
    '-- lockstep: no-transactoin\n',
    '-- lockstep: statement-timeout=9999999999h\n',
    '\u0000',
    "E'\\",
    "U&'\\zzzz'",
  ],
);
/** Reaches the server. */
const SQL = text(
  ...[
    'SELECT 1',
    'CREATE TABLE t (x int)',
    'DROP TABLE t',
    'INSERT INTO t VALUES (1)',
    'CREATE INDEX CONCURRENTLY t_x ON t (x)',
    'VACUUM',
    'SELEC 1',
    'SELECT 1/0',
  ],
  ...['SAVEPOINT s', 'RELEASE s', 'RESET ALL', 'SHOW all', 'EXPLAIN SELECT 1'],
  ...[
    'SET standard_conforming_strings = off',
    'SET client_encoding = LATIN1',
    "SET search_path = ''",
    'SET ROLE NONE',
    'SET transaction_read_only = on',
    'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
  ],
  ...[
    'SET lock_timeout = 1',
    'SET statement_timeout = 1',
    'SET session_replication_role = replica',
    'SET row_security = off',
    "SET DateStyle = 'German'",
    'SET bytea_output = escape',
  ],
  ...[
    'CREATE TEMP TABLE schema_migrations (x int)',
    'CREATE TEMP TABLE t (y int)',
    'ALTER TABLE schema_migrations ADD COLUMN oops int',
    'DELETE FROM schema_migrations',
    'TRUNCATE schema_migrations_journal',
  ],
  ...[
    'DROP TABLE schema_migrations CASCADE',
    'DROP TABLE IF EXISTS schema_migrations_journal',
    'SELECT pg_terminate_backend(pg_backend_pid())',
    'DO $$ BEGIN COMMIT; END $$',
    'LISTEN x',
    'NOTIFY x',
  ],
);
const FRAGMENT = text(
  ...[
    "'",
    '"',
    '$$',
    '$a$',
    '/*',
    '*/',
    '/* /* */',
    '--',
    '-- lockstep: no-transaction\n',
    '-- lockstep: lock-timeout=2s\n',
  ],
  ...[
    '(',
    ')',
    '[',
    ']',
    '{',
    ';',
    ';;',
    '\r',
    '\n',
    '\t',
    '\u00a0',
    '\u2028',
    '\ufeff',
    '\u001b[2J',
    'é',
    '🚀',
    '\ud7ff',
    '::',
    ':=',
    '?',
    '@',
    '`',
    '$1',
    ':name',
    '{{x}}',
    '<<<<<<< HEAD\n',
  ],
);
const DEEP = fc.oneof(
  fc.integer({ min: 1, max: 12_000 }).map((depth) => `SELECT ${'('.repeat(depth)}1${')'.repeat(depth)}`),
  fc.integer({ min: 1, max: 12_000 }).map((depth) => `SELECT ${'1+'.repeat(depth)}1`),
  fc
    .integer({ min: 1, max: 2_000 })
    .map((depth) => `SELECT ${'CASE WHEN true THEN '.repeat(depth)}1${' END'.repeat(depth)}`),
  fc.integer({ min: 1, max: 5_000 }).map((depth) => `${'/*'.repeat(depth)} deep ${'*/'.repeat(depth)} SELECT 1`),
  fc.integer({ min: 1, max: 5_000 }).map((depth) => `SELECT ${'('.repeat(depth)}`),
  repeated('SELECT 1;', 500),
  repeated('BEGIN;', 500),
);
const LONG = fc.oneof(
  fc.integer({ min: 1, max: 400_000 }).map((length) => `SELECT '${'x'.repeat(length)}' nonsense nonsense`),
  fc.integer({ min: 1, max: 200_000 }).map((length) => `-- ${'🚀'.repeat(length / 4)}\nSELECT 1`),
  fc.integer({ min: 1, max: 100_000 }).map((length) => `${' '.repeat(length)}SELEC`),
);

const statements = (...sources: readonly fc.WeightedArbitrary<string>[]): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(...sources), { minLength: 0, maxLength: 8 })
    .chain((parts) => text('\n', ' ', '\r\n', '').map((between) => parts.join(between)));
const ended = (sql: string): string => `${sql};`;

const SCRIPT = statements(
  { weight: 4, arbitrary: SQL.map(ended) },
  { weight: 2, arbitrary: REFUSED.map(ended) },
  { weight: 3, arbitrary: FRAGMENT },
  { weight: 3, arbitrary: SECRETS.map(ended) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);
/** Usually reaches the server, and often completes some of its statements. */
const ACCEPTED = fc.oneof(
  statements({ weight: 3, arbitrary: SQL.map(ended) }, { weight: 1, arbitrary: SECRETS.map(ended) }),
  statements(
    { weight: 3, arbitrary: SQL.map(ended) },
    { weight: 1, arbitrary: SECRETS.map(ended) },
    { weight: 1, arbitrary: FRAGMENT },
  ),
);

const NASTY_CONTENT: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 12, arbitrary: SCRIPT.map((script) => Buffer.from(script)) },
  { weight: 1, arbitrary: SCRIPT.map((script) => Buffer.from(`\ufeff${script}`)) },
  { weight: 1, arbitrary: SCRIPT.map((script) => Buffer.from(`\ufeff${script}`, 'utf16le')) },
  { weight: 1, arbitrary: SCRIPT.map((script) => Buffer.from(script, 'latin1')) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.oneof(DEEP, LONG).map((script) => Buffer.from(script)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.oneof(DEEP, LONG), SECRETS).map(([script, secret]) => Buffer.from(`${secret};\n${script}`)),
  },
);
const directory = (
  name: fc.Arbitrary<Buffer>,
  content: fc.Arbitrary<Buffer>,
  files: number,
): fc.Arbitrary<NastyFile[]> => fc.array(fc.record({ name, content }), { minLength: files, maxLength: files });
/** Most contents are harmless here, so that the name decides. */
const MANY_FILES = directory(
  NASTY_NAME,
  fc.oneof({ weight: 20, arbitrary: fc.constant(Buffer.from('SELECT 1;')) }, NASTY_CONTENT),
  MANY.files,
);
const FEW_FILES = fc.oneof(
  directory(PLAIN_NAME, NASTY_CONTENT, FEW.files),
  directory(
    PLAIN_NAME,
    ACCEPTED.map((script) => Buffer.from(script)),
    FEW.files,
  ),
);

describe('nasty files', function () {
  this.timeout(300_000);
  let server: Postgres;
  before(async () => {
    server = await ownServer();
    console.log(`      seed ${SEED} (LOCKSTEP_SEED)`);
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);

  async function withFiles(files: readonly NastyFile[], body: (dir: string) => Promise<void>): Promise<void> {
    const dir = await mkdtemp(join(tmpdir(), 'lockstep-nasty-'));
    try {
      for (const { name, content } of files) await writeFile(Buffer.concat([Buffer.from(`${dir}/`), name]), content);
      await workspace().query(`DROP SCHEMA IF EXISTS ${workspace().schema} CASCADE`);
      await workspace().query(`CREATE SCHEMA ${workspace().schema}`);
      await body(dir);
    } catch (cause) {
      const shown = files.map(({ name, content }) => [
        name.toString('latin1'),
        content.toString('latin1').slice(0, 2_000),
      ]);
      throw new Error(`${String(cause)}\nwith the files (as Latin-1) ${JSON.stringify(shown).slice(0, 8_000)}`, {
        cause,
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  interface Said {
    readonly code: number | null;
    readonly stdout: string;
    readonly stderr: string;
  }

  function expectSound({ code, stdout, stderr }: Said, codes: readonly number[], format: 'text' | 'json'): void {
    expect(codes, `exit ${code}\n${stderr.slice(-2_000)}`).to.include(code);
    for (const said of [stdout, stderr]) expect(said).to.not.include(CANARY);
    // A name or a text must not control the reader's terminal.
    expect(/[^\n\P{Cc}]|[\u2028-\u202e\u2066-\u2069]/u.exec(stdout + stderr), 'control characters').to.equal(null);
    if (format === 'text') return;
    expect(JSON.parse(stdout)).to.be.an('object');
    for (const line of stderr.split('\n').filter(Boolean)) expect(JSON.parse(line)).to.be.an('object');
  }

  const flags = (format: 'text' | 'json'): string[] =>
    format === 'text' ? ['--log-format', 'text'] : ['--log-format', 'json', '--json'];

  let turn = 0;

  /** Runs each command in one of the two log formats. */
  async function tryBoth(dir: string): Promise<void> {
    const env = {
      ...workspace().env,
      LOCKSTEP_DIR: dir,
      LOCKSTEP_CONNECT_WAIT: '5s',
      LOCKSTEP_STATEMENT_TIMEOUT: '10s',
    };
    turn += 1;
    const [one, other] = turn % 2 === 0 ? (['text', 'json'] as const) : (['json', 'text'] as const);
    expectSound(
      await within(runInProcess(['validate', ...flags(one)], { env }), 'validate to end'),
      VALIDATE_CODES,
      one,
    );
    expectSound(await within(runInProcess(['up', ...flags(other)], { env }), 'up to end'), UP_CODES, other);
    expect(await workspace().lockSessions()).to.deep.equal([]);
    for (const error of await journalErrors()) expect(error).to.not.include(CANARY);
  }

  /** The journal's texts, which every reader of the table sees; a file may have dropped the journal. */
  async function journalErrors(): Promise<string[]> {
    const journal = `${workspace().schema}.schema_migrations_journal`;
    const [found] = await workspace().query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
      journal,
    ]);
    if (found?.there !== true) return [];
    return (await workspace().query<{ error: string }>(`SELECT error FROM ${journal} WHERE error IS NOT NULL`)).map(
      ({ error }) => error,
    );
  }

  it(`end with a documented code: ${MANY.directories * MANY.files} names`, async () => {
    await fc.assert(
      fc.asyncProperty(MANY_FILES, (files) => withFiles(files, tryBoth)),
      { seed: SEED, numRuns: MANY.directories, endOnFailure: true },
    );
  });

  it(`end with a documented code: ${FEW.directories * FEW.files} contents`, async () => {
    await fc.assert(
      fc.asyncProperty(FEW_FILES, (files) => withFiles(files, tryBoth)),
      { seed: SEED, numRuns: FEW.directories, endOnFailure: true },
    );
  });

  it(`end with the same code by the command line: a sample of ${BY_COMMAND_LINE}`, async () => {
    for (const files of fc.sample(fc.oneof(FEW_FILES, MANY_FILES), { seed: SEED, numRuns: BY_COMMAND_LINE })) {
      await withFiles(files, async (dir) => {
        const env = { ...workspace().env, LOCKSTEP_DIR: dir, LOCKSTEP_CONNECT_WAIT: '5s' };
        expectSound(await runCli(['validate', ...flags('text')], { env }), VALIDATE_CODES, 'text');
        expectSound(await runCli(['up', ...flags('json')], { env }), UP_CODES, 'json');
      });
    }
  });
});
