/** The memory of a run stays below the chart's container limit, whatever a server or a hook sends. */
import { writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { useWorkspace } from '../support/workspace.ts';

const LIMIT_MIB = 256;

/** Loaded before the program: writes the peak, in KiB, when the process ends. */
const WATCH = `process.on('exit', () => require('node:fs').writeFileSync(process.env.PEAK_FILE, String(process.resourceUsage().maxRSS)));`;

interface Case {
  readonly exit: number;
  readonly files: Readonly<Record<string, string>>;
}

const rows = (count: number): string =>
  Array.from({ length: count }, (_, index) => `INSERT INTO t VALUES (${index}, 'row ${index}');\n`).join('');

const CASES: Readonly<Record<string, Case>> = {
  'an error of 5 MB': {
    exit: 40,
    files: {
      '001_a.up.sql':
        "DO $$ BEGIN RAISE EXCEPTION '%', repeat('x', 5000000) USING DETAIL = repeat('y', 5000000), HINT = repeat('z', 5000000); END $$;",
    },
  },
  'a syntax error in 5 MB of generated SQL': {
    exit: 40,
    files: { '001_a.up.sql': "DO $$ BEGIN EXECUTE repeat('x', 5000000) || ' y z'; END $$;" },
  },
  'a statement outside a transaction that fails with 5 MB': {
    exit: 40,
    files: {
      '001_a.up.sql': "-- lockstep: no-transaction\nDO $$ BEGIN RAISE EXCEPTION '%', repeat('x', 5000000); END $$;",
    },
  },
  'a notice of 18 MB': {
    exit: 0,
    files: { '001_a.up.sql': "DO $$ BEGIN RAISE NOTICE '%', repeat('x', 18000000); END $$;" },
  },
  '300,000 notices': {
    exit: 0,
    files: { '001_a.up.sql': "DO $$ BEGIN FOR i IN 1..300000 LOOP RAISE NOTICE 'line %', i; END LOOP; END $$;" },
  },
  '20,000 notices of 8 kB': {
    exit: 0,
    files: {
      '001_a.up.sql': "DO $$ BEGIN FOR i IN 1..20000 LOOP RAISE NOTICE '%', repeat('x', 8000); END LOOP; END $$;",
    },
  },
  '300,000 lines of a hook': {
    exit: 0,
    files: {
      '001_a.up.sql': 'SELECT 1;',
      '001_a.before.mjs': "export default ({ log }) => { for (let i = 0; i < 300_000; i += 1) log('line ' + i); };",
    },
  },
  'lines of 20 MB of a hook': {
    exit: 0,
    files: {
      '001_a.up.sql': 'SELECT 1;',
      '001_a.before.mjs':
        "export default ({ log }) => { log('x'.repeat(20_000_000)); console.log('y'.repeat(20_000_000)); };",
    },
  },
  '300 MB of rows': { exit: 0, files: { '001_a.up.sql': "SELECT repeat('x', 1000) FROM generate_series(1, 300000);" } },
  'a row of 30 MB': { exit: 0, files: { '001_a.up.sql': "SELECT repeat('x', 30000000);" } },
  'a file of the largest size that is parsed': {
    exit: 0,
    files: { '001_a.up.sql': `CREATE TABLE t (id int, v text);\n${rows(22_000)}` },
  },
  'a file too large to be parsed': {
    exit: 0,
    files: { '001_a.up.sql': `CREATE TABLE t (id int, v text);\n${rows(100_000)}` },
  },
};

const TEXT =
  'CREATE TABLE t_%s (id bigint PRIMARY KEY, name text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()); -- %s';
const textOf = (number: number): string => TEXT.replaceAll('%s', String(number));

describe('the memory of a run', () => {
  const workspace = useWorkspace();
  let folder = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-memory-'));
    await writeFile(join(folder, 'watch.cjs'), WATCH);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const [name, { exit, files }] of Object.entries(CASES)) {
    it(`stays below ${LIMIT_MIB} MiB with ${name}`, async () => {
      await workspace().write(files);
      const peakFile = join(folder, 'peak');
      const watch = join(folder, 'watch.cjs');
      const options = { NODE_OPTIONS: `--require ${watch}`, BUN_OPTIONS: `--preload ${watch}` };
      const run = await runCli(['up'], { env: { ...workspace().env, ...options, PEAK_FILE: peakFile } });
      expectExit(run, exit);
      const [{ longest } = { longest: 0 }] = await workspace().query<{ longest: number }>(
        'SELECT coalesce(max(length(error)), 0) AS longest FROM schema_migrations_journal',
      );
      expect(longest, 'the longest error in the journal').to.be.at.most(2_200);
      expect(Number(await readFile(peakFile, 'utf8')) / 1024, 'MiB').to.be.below(LIMIT_MIB);
    });
  }

  it('stays below 128 MiB with 50,000 applied files, where V8 leaves no garbage lying about', async function () {
    this.timeout(120_000);
    const place = workspace();
    const { dir, env } = place;
    const count = 50_000;
    await place.write({ '00001_t.up.sql': textOf(1) });
    expectExit(await runCli(['up'], { env }), 0);
    await place.query(
      `INSERT INTO schema_migrations (version, checksum)
       SELECT lpad(n::text, 5, '0') || '_t', encode(sha256(convert_to(format($1, n, n), 'UTF8')), 'hex')
         FROM generate_series(2, $2::int) n`,
      [TEXT, count],
    );
    for (let number = 2; number <= count; number += 1)
      writeFileSync(join(dir, `${String(number).padStart(5, '0')}_t.up.sql`), textOf(number));
    const peakFile = join(folder, 'peak');
    const options = `--require ${join(folder, 'watch.cjs')} --max-old-space-size=56 --max-semi-space-size=1`;
    const run = await runCli(['up'], { env: { ...env, NODE_OPTIONS: options, PEAK_FILE: peakFile } });
    expectExit(run, 0);
    expect(run.stdout).to.contain('skip 50000 migrations');
    expect(Number(await readFile(peakFile, 'utf8')) / 1024, 'MiB').to.be.below(128);
  });
});
