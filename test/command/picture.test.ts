/** `npm run picture` reproduces the run that the README's picture shows, with the same result. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';

const script = resolve(import.meta.dirname, '../../scripts/picture.ts');

describe('npm run picture', () => {
  it('shows one replica that applies, four that skip, and an error with a caret', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [script, '--screen']);
    expect(stdout.match(/ applied {3}\d{3}_\w+/g)).to.have.length(3);
    expect(stdout.match(/ skips all 3: already applied/g)).to.have.length(4);
    expect(stdout)
      .to.include('004_add_total.up.sql:2:20')
      .and.to.match(/^ +\^$/m);
  }).timeout(60_000);
});
