/** Whose code is shipped stands in the notices beside it, with the terms. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { distFolder } from '../support/cli.ts';

describe('the notices of what is shipped', () => {
  let notices: readonly string[];

  before(async () => {
    notices = (await readFile(join(distFolder(), 'THIRD-PARTY-LICENSES.txt'), 'utf8')).split(/^-{80}$/m);
  });

  it('name the packages and what the parser is made of', () => {
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
    ]) {
      expect(names).to.include(name);
    }
  });

  it('each say who holds the copyright, and the terms', () => {
    for (const notice of notices) {
      expect(notice)
        .to.match(/copyright|authors/i)
        .and.match(/permi|Apache License|distribut/i);
      expect(notice).not.to.match(/<(year|owner|copyright holders)>/);
    }
  });
});
