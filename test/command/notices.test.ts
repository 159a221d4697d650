/** The notices name the copyright holders and licenses of all code that is shipped. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'chai';

import { SBOM } from '../../scripts/build/sbom.ts';
import { distFolder } from '../support/cli.ts';

/** An executable brings a runtime. */
const executable = process.env['LOCKSTEP_TEST_EXECUTABLE'] ?? '';

describe('the notices of shipped code', () => {
  const folder = executable === '' ? distFolder() : dirname(executable);
  let notices: readonly string[];

  before(async () => {
    notices = (await readFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), 'utf8')).split(/^-{80}$/m);
  });

  it('name the packages and the components of the parser', () => {
    const names = notices.map((notice) => notice.trim().split('\n\n')[0]!).join('\n');
    for (const name of [
      'pg 8',
      'yargs',
      '@kubernetes/client-node',
      'winston',
      'libpg-query 18',
      'libpg_query,',
      'PostgreSQL,',
      'protobuf-c,',
      'xxHash,',
      'musl,',
      'Emscripten,',
      ...(executable === '' ? [] : ['Bun, in Bun (MIT)', 'JavaScriptCore and WebKit, in Bun (LGPL-2.0-or-later)']),
    ]) {
      expect(names).to.include(name);
    }
  });

  it('each name the copyright holder and the license', () => {
    for (const notice of notices) {
      expect(notice)
        .to.match(/copyright|authors/i)
        .and.match(/permi|Apache License|distribut/i);
      expect(notice).not.to.match(/<(year|owner|copyright holders)>/);
    }
  });

  it('are of the packages and parts that the bill of materials lists, and of no others', async () => {
    const bill = JSON.parse(await readFile(join(folder, SBOM), 'utf8')) as {
      readonly components: readonly { readonly name: string; readonly version?: string }[];
    };
    const listed = bill.components.map(({ name, version }) =>
      version === undefined || name === 'Bun' ? name : `${name} ${version}`,
    );
    const noticed = notices.flatMap((notice) =>
      notice
        .trim()
        .split('\n\n')[0]!
        .split('\n')
        .map((line) => line.replace(/(, in (?:libpg-query\.wasm|Bun))? \([^()]*\)$/, '')),
    );
    expect(listed).to.have.members(noticed);
  });
});
