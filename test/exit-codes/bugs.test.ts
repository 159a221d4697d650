/**
 * Bugs of ours, put into the running command: exit 1 with a message, never 0 or Node's own 13, and no stack trace for
 * people.
 */
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';

import { documentOf } from '../support/json-documents.ts';
import { distFolder, expectExit, runCli, type CliResult } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { expectNoStack } from '../support/said.ts';

const AWAITED = 'an exception where it is awaited';

/** Loaded before the command itself; each breaks what opens a connection. */
const BUGS: Readonly<Record<string, string>> = {
  'an exception that nobody catches': `setImmediate(() => { throw new TypeError('a bug of ours'); }); return connect.apply(this, args);`,
  'a rejected promise that nobody awaits': `Promise.reject(new TypeError('a bug of ours')); return connect.apply(this, args);`,
  'a thrown string': `setImmediate(() => { throw 'a bug of ours'; }); return connect.apply(this, args);`,
  'a promise rejected with nothing': `Promise.reject(); return connect.apply(this, args);`,
  [AWAITED]: `throw new TypeError('a bug of ours');`,
  'an answer that is awaited and never comes, with nothing left to wait for': 'return this;',
};
const NOT_OURS: readonly string[] = [
  'a promise rejected with nothing',
  'an answer that is awaited and never comes, with nothing left to wait for',
];

const breaking = (connect: string): string => `import net from 'node:net';
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) { ${connect} };
`;

function expectToldAsText({ stdout, stderr }: CliResult): void {
  expectNoStack(stdout, stderr);
  expect(stderr).to.match(/^error: .+ \(INTERNAL\)\nwhy: {3}\S.*\nnext: {2}\S.*\n$/m);
}

describe('a bug in Lockstep', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(file(1, 'a', 'CREATE TABLE a ();')));

  for (const [what, connect] of Object.entries(BUGS)) {
    describe(what, () => {
      async function runBroken(args: readonly string[]): Promise<CliResult> {
        const module = join(workspace().dir, 'broken.mjs');
        await writeFile(module, breaking(connect));
        const env = {
          ...workspace().env,
          NODE_OPTIONS: `--import=${pathToFileURL(module).href}`,
          BUN_OPTIONS: `--preload=${module}`,
        };
        const result = await runCli(['up', ...args], { env });
        expectExit(result, 1);
        if (!NOT_OURS.includes(what)) expect(result.stderr).to.include('a bug of ours');
        return result;
      }

      it('exits with 1 and prints a message in three parts without a stack, for people', async () => {
        expectToldAsText(await runBroken(['--log-format', 'text']));
      });

      it('exits with 1 and prints one document, with the stack in the log if there is one, for machines', async () => {
        const result = await runBroken(['--json', '--log-format', 'json']);
        // Where it is awaited, the run knows what it had done.
        const document = documentOf(what === AWAITED ? 'outcome' : 'error', result);
        expect((document['error'] as { code: string }).code).to.equal('INTERNAL');
        expectNoStack(result.stdout);
        const last = result.logs.at(-1)!;
        expect(last).to.include({ event: 'run.failed', level: 'error' });
        expect(last['error']).to.include({ code: 'INTERNAL', exit: 1 });
        if (connect.includes('new TypeError'))
          expect((last['error'] as { stack?: string }).stack).to.match(/^TypeError: a bug of ours\n {4}at /);
      });
    });
  }

  it('is not reported when there is none', async () => {
    expectExit(
      await runCli(['up'], { env: { ...workspace().env, NODE_OPTIONS: '--import=data:text/javascript,' } }),
      0,
    );
  });
});

describe('an installation that lacks a file', () => {
  const workspace = useWorkspace();
  let dist = '';
  beforeEach(async () => {
    await workspace().write(file(1, 'a', 'CREATE TABLE a ();'));
    dist = await mkdtemp(join(tmpdir(), 'lockstep-damaged-'));
    await cp(distFolder(), dist, { recursive: true });
  });
  afterEach(() => rm(dist, { recursive: true, force: true }));

  // What the entry itself imports must be there for anything of ours to run.
  for (const part of [/^start\.mjs$/, /\.cjs$/, /^winston-writer-/, /^under-lock-/, /^wasm-/, /^libpg-query\.wasm$/]) {
    it(`exits with 1 and says what is wrong in both formats: ${part.source}`, async () => {
      const names = (await readdir(dist)).filter((name) => part.test(name));
      expect(names).to.have.lengthOf(1);
      await rm(join(dist, names[0]!));
      const text = await runCli(['up', '--log-format', 'text'], { env: workspace().env, dist });
      expectExit(text, 1);
      expectToldAsText(text);
      const json = await runCli(['up', '--log-format', 'json'], { env: workspace().env, dist });
      expectExit(json, 1);
      expect(json.logs.at(-1)!['error']).to.include({ code: 'INTERNAL', exit: 1 });
    });
  }
});
