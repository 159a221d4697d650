/**
 * The npm package, built from a clean clone, works on its own: by import, by require and as a command; the links of its
 * pages resolve.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import ts from 'typescript';

import { useDatabase } from '../support/databases.ts';
import { packAndUnpack, type Packed } from '../support/packed.ts';
import { skip } from '../support/skip.ts';
import { useWorkspace } from '../support/workspace.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');

/** The parser with its WASM, a hook in a file, and a statement outside a transaction. */
const FILES = {
  '001_a.up.sql': 'CREATE TABLE a (x int); INSERT INTO a VALUES (1);',
  '002_b.up.sql': 'INSERT INTO a SELECT 10 * x FROM a;',
  '002_b.before.mjs': `export default async ({ pool }) => { await pool.query('INSERT INTO a VALUES (2)'); };`,
  '002_b.down.sql': 'DELETE FROM a WHERE x > 2;',
  '003_c.up.sql': 'CREATE INDEX CONCURRENTLY a_x ON a (x);',
  '003_c.down.sql': 'DROP INDEX a_x;',
};
const VERSIONS = ['001_a', '002_b', '003_c'];

/** The program that both ways to load the library run. */
const USE = `async function use({ MigratorError, pending, runMigrations, status, validate }) {
  const { connectionString, dir, lockKey } = JSON.parse(process.argv[2]);
  const place = { connectionString, dir, lockKey };
  const { valid } = await validate({ dir });
  const before = await pending(place);
  const up = await runMigrations({ ...place, direction: 'up' });
  const { upToDate } = await status(place);
  const down = await runMigrations({ ...place, direction: 'down', steps: 2 });
  const error = await runMigrations({ ...place, direction: 'up', lockWait: 1 }).catch((thrown) => thrown);
  const versions = ({ done }) => done.map(({ version }) => version);
  console.log(JSON.stringify({
    valid, before, up: versions(up), upToDate, down: versions(down), ours: error instanceof MigratorError, message: error.message,
  }));
}
`;

const WAYS = {
  'use.mjs': `import * as lockstep from 'lockstep';\n${USE}await use(lockstep);\n`,
  'use.cjs': `const lockstep = require('lockstep');\n${USE}void use(lockstep);\n`,
};

/** Source that TypeScript checks in both module kinds. */
const TYPED = `const outcome: Promise<Outcome> = runMigrations({ connectionString: 'x', direction: 'up', dir: 'db' });
const open: Promise<readonly string[]> = pending({ connectionString: 'x', files: [] });
const isOurs = (error: unknown): error is MigratorError => error instanceof MigratorError && error.code === 'PENDING';
// @ts-expect-error: there is no such option
void validate({ dir: 'db', strickt: true });
export const all = [outcome, open, isOurs, status];
`;
const NAMES = 'MigratorError, pending, runMigrations, status, validate, type Outcome';

describe('the npm package', () => {
  const workspace = useWorkspace();
  const database = useDatabase();
  let packed: Packed;

  before('pack and unpack it', async function () {
    this.timeout(150_000);
    if (!existsSync(join(ROOT, '.git'))) skip(this, 'there is no git repository to clone');
    packed = await packAndUnpack();
    for (const [name, text] of Object.entries(WAYS)) await writeFile(join(packed.app, name), text);
  });
  after(async () => {
    if (existsSync(join(ROOT, '.git'))) await packed.remove();
  });

  for (const name of Object.keys(WAYS)) {
    it(`works in ${name} with only its own dependencies`, async () => {
      await workspace().write(FILES);
      const { dir, lockKey, url: connectionString, env } = workspace();
      const { stdout, stderr } = await run(
        process.execPath,
        [name, JSON.stringify({ connectionString, dir, lockKey })],
        { cwd: packed.app, env },
      );
      expect(stderr).to.equal('');
      expect(JSON.parse(stdout)).to.deep.equal({
        ...{ valid: true, before: VERSIONS, up: VERSIONS, upToDate: true, down: ['003_c', '002_b'], ours: true },
        message: 'runMigrations: an option is wrong: there is no option "lockWait"; did you mean lockWaitMs?',
      });
      expect(await workspace().query('SELECT x FROM a ORDER BY x')).to.deep.equal([{ x: 1 }, { x: 2 }]);
    });
  }

  it('is the same library when imported and when required', async () => {
    const script = `import { createRequire } from 'node:module'; import * as one from 'lockstep';
      const other = createRequire(import.meta.url)('lockstep');
      console.log(Object.keys(one).filter((name) => name !== 'default').every((name) => one[name] === other[name]));`;
    await writeFile(join(packed.app, 'both.mjs'), script);
    expect((await run(process.execPath, ['both.mjs'], { cwd: packed.app })).stdout).to.equal('true\n');
  });

  it('has types for both, under every module resolution of TypeScript', async () => {
    const files = ['typed.mts', 'typed.cts'].map((name) => join(packed.app, name));
    for (const file of files) await writeFile(file, `import { ${NAMES} } from 'lockstep';\n${TYPED}`);
    for (const [module, moduleResolution] of [
      [ts.ModuleKind.Node16, ts.ModuleResolutionKind.Node16],
      [ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
    ] as const) {
      const program = ts.createProgram(files, {
        ...{ module, moduleResolution, target: ts.ScriptTarget.ES2024, strict: true, noEmit: true },
        ...{ types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] },
      });
      // Checking other declarations, such as the types of Node, takes long and proves nothing about the package.
      const ours = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(packed.app));
      expect(ours, 'declarations read').to.have.length.above(20);
      const problems = ours
        .flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
        .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
      expect(problems, ts.ModuleKind[module]).to.deep.equal([]);
    }
  }).timeout(40_000);

  it('contains the command, which runs hooks in a thread', async () => {
    await workspace().write(FILES);
    const { bin } = JSON.parse(await readFile(join(packed.package, 'package.json'), 'utf8')) as {
      bin: { lockstep: string };
    };
    const { stdout } = await run(process.execPath, [join(packed.package, bin.lockstep), 'up', '--json'], {
      cwd: packed.app,
      env: workspace().env,
    });
    expect(JSON.parse(stdout)).to.include({ exit: 0 }).and.have.property('done').with.length(3);
    expect(await workspace().query('SELECT x FROM a ORDER BY x')).to.deep.equal([1, 2, 10, 20].map((x) => ({ x })));
  });

  it('contains pages whose links resolve within the package', async () => {
    const names = (await readdir(packed.package, { recursive: true })).filter((name) => !name.includes('node_modules'));
    const there = new Set(names);
    const links: string[] = [];
    for (const name of names.filter((one) => one.endsWith('.md'))) {
      const text = (await readFile(join(packed.package, name), 'utf8')).replaceAll(/^```.*?^```$|`[^`\n]*`/gms, '');
      for (const [, link = ''] of text.matchAll(/\]\(([^)#\s]+)/g))
        if (!/^https?:/.test(link)) links.push(`${name} → ${join(dirname(name), link).replace(/\/$/, '')}`);
    }
    expect(links).to.have.length.above(30);
    expect(links.filter((link) => !there.has(link.split(' → ')[1] ?? ''))).to.deep.equal([]);
  });

  describe('in docs/library.md', () => {
    before('write its examples', async () => {
      const page = await readFile(join(packed.package, 'docs/library.md'), 'utf8');
      for (const [, text = '', name = ''] of page.matchAll(/^```\w+\n(\/\/ (\S+)\n.*?)^```$/gms)) {
        await mkdir(dirname(join(packed.app, name)), { recursive: true });
        await writeFile(join(packed.app, name), text);
      }
      await mkdir(join(packed.app, 'db'));
      await writeFile(join(packed.app, 'db/001_a.up.sql'), FILES['001_a.up.sql']);
    });

    const env = () => ({ PATH: process.env['PATH'] ?? '', DATABASE_URL: database() });

    it('the vitest set-up applies the migrations (this test calls its function: vitest is not installed)', async () => {
      const script = `const { setup } = await import('./test/global-setup.ts'); await setup();
        const { pending } = await import('lockstep');
        console.log(await pending({ connectionString: process.env.DATABASE_URL, dir: './db' }));`;
      const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
        ...{ cwd: packed.app, env: env() },
      });
      expect(stdout).to.equal('[]\n');
    });

    it('the mocha set-up runs the test against an up-to-date database', async () => {
      await writeFile(join(packed.app, 'db/002_b.up.sql'), FILES['002_b.up.sql']);
      const { stdout } = await run(process.execPath, [join(ROOT, 'node_modules/mocha/bin/mocha.js')], {
        ...{ cwd: packed.app, env: env() },
      });
      expect(stdout).to.include('is up to date').and.include('1 passing');
    });

    it('the mocha set-up fails the run when a migration fails, and prints the reason', async () => {
      await writeFile(join(packed.app, 'db/003_c.up.sql'), 'SELECT nope;');
      const failed = await run(process.execPath, [join(ROOT, 'node_modules/mocha/bin/mocha.js')], {
        ...{ cwd: packed.app, env: env() },
      }).then(
        () => undefined,
        (error: unknown) => error as { code: number; stdout: string; stderr: string },
      );
      expect(failed?.code).to.be.above(0);
      expect(`${failed?.stdout}${failed?.stderr}`).to.include('column "nope" does not exist');
    });
  });
});
