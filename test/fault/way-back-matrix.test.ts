/**
 * Partly applied or rolled back versions: (up or down) x (failed, killed, 41) x (next command). support/half-done.ts
 * has the cells.
 */
import type { Postgres } from '../../scripts/postgres/server.ts';
import { ownServer } from '../support/server.ts';
import { CELLS } from './support/half-done.ts';
import { tryCell } from './support/half-done-cell.ts';

describe('a partly applied or rolled back version', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });

  for (const cell of CELLS) {
    it(`${cell.way}, ${cell.how}, then ${cell.next}`, () => tryCell(server.url, cell));
  }
});
