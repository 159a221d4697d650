/** A sample of the cells of way-back-matrix.test.ts. LOCKSTEP_SEED=<number> selects the same cells again. */
import fc from 'fast-check';

import type { Postgres } from '../../../scripts/postgres/server.ts';
import { ownServer } from '../../support/server.ts';
import { CELLS, HOWS, type Cell } from '../support/half-done.ts';
import { tryCell } from '../support/half-done-cell.ts';

const SEED = Number(process.env['LOCKSTEP_SEED'] ?? Date.now() % 1_000_000);

describe('a partly applied or rolled back version, a sample', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });

  const sample = HOWS.map(
    (how, index) =>
      fc.sample(fc.constantFrom(...CELLS.filter((cell) => cell.how === how)), {
        seed: SEED + index,
        numRuns: 1,
      })[0] as Cell,
  );
  for (const cell of sample) {
    it(`seed ${SEED}: ${cell.way}, ${cell.how}, then ${cell.next}`, () => tryCell(server.url, cell));
  }
});
