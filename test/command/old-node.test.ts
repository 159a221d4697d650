/**
 * On a Node that is too old, the command exits with 20 and no stack trace, and importing the library fails with the
 * same reason.
 */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

import { nodeProblem } from '../../src/core/node-version.ts';
import { distFolder } from '../support/cli.ts';

const run = promisify(execFile);

const SENTENCE = 'Lockstep needs Node 22.19 or newer, and this is Node';

/** Makes this Node report another version. */
const posing = (version: string): string[] => [
  '--import',
  `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'${version}'})`,
];

describe('a Node that is too old', () => {
  for (const version of ['0.10.48', '14.21.3', '18.20.8', '20.20.2', '22.0.0', '22.18.9']) {
    it(`${version} is refused`, () => {
      expect(nodeProblem(version)).to.equal(`${SENTENCE} ${version}`);
    });
  }
  for (const version of ['22.19.0', '22.20.1', '23.0.0', '24.21.0', '100.0.0']) {
    it(`${version} is accepted`, () => {
      expect(nodeProblem(version)).to.equal(undefined);
    });
  }

  const cli = join(distFolder(), 'lockstep.mjs');

  async function failed(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return await run(process.execPath, args, { env: { PATH: process.env['PATH'] ?? '' } }).then(
      () => {
        throw new Error('it ended well');
      },
      (error: unknown) => error as { code: number; stdout: string; stderr: string },
    );
  }

  for (const args of [['up'], ['up', '--json'], ['--version'], ['nonsense'], []]) {
    it(`makes "lockstep ${args.join(' ')}" exit with 20 and one log line`, async () => {
      const { code, stdout, stderr } = await failed([...posing('20.20.2'), cli, ...args]);
      expect(code).to.equal(20);
      expect(stdout).to.equal('');
      const { error } = JSON.parse(stderr) as { error: object };
      expect(error).to.deep.equal({
        code: 'CONFIG_INVALID',
        exit: 20,
        summary: `${SENTENCE} 20.20.2`,
        next: 'run it with a newer Node, or use the image, which brings its own',
      });
    });
  }

  it('makes the command exit with 20 and an error in text format', async () => {
    const { code, stderr } = await failed([...posing('18.20.8'), cli, 'up', '--log-format', 'text']);
    expect(code).to.equal(20);
    expect(stderr).to.equal(
      `error: ${SENTENCE} 18.20.8 (CONFIG_INVALID)\nwhy:   this Node is too old\nnext:  run it with a newer Node, or use the image, which brings its own\n`,
    );
  });

  it('cannot import the library, and the error gives the reason', async () => {
    const library = pathToFileURL(resolve(import.meta.dirname, '../../lib/index.js')).href;
    const script = `await import(${JSON.stringify(library)}).catch(({ code, exit, message, stack }) => { console.log(JSON.stringify({ code, exit, message, lines: stack.split('\\n').length })); process.exit(exit); })`;
    const { code, stdout } = await failed([...posing('20.20.2'), '--input-type=module', '--eval', script]);
    expect(code).to.equal(20);
    expect(JSON.parse(stdout)).to.deep.equal({
      code: 'CONFIG_INVALID',
      exit: 20,
      message: `${SENTENCE} 20.20.2`,
      lines: 1,
    });
  });
});
