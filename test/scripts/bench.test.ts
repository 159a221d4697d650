/** The benchmark runs, counts correctly, and writes its figures. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';

import { distFolder } from '../support/cli.ts';

describe('npm run bench', () => {
  it('counts the round trips of a run', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-bench-test-'));
    try {
      const json = join(folder, 'figures.json');
      const words = ['--only', 'round-trips', '--peers', 'none', '--repeat', '1', '--json', json];
      await promisify(execFile)(process.execPath, [resolve(import.meta.dirname, '../../bench/main.ts'), ...words], {
        env: { PATH: process.env['PATH'], LOCKSTEP_DIST: distFolder() },
        timeout: 50_000,
      });
      const { results } = JSON.parse(await readFile(json, 'utf8'));
      const [[name, connections, logInTrips, trips, perMigration]] = results['round-trips'].tables[0].rows;
      expect({ name, connections, logInTrips, trips }).to.deep.equal({
        name: 'lockstep',
        connections: 1,
        logInTrips: 1,
        trips: 1,
      });
      expect(perMigration).to.be.within(1, 2);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
