/** Versions left in part: (up or down) x (failed, killed, 41) x (what comes next). Each cell is in support/half-done.ts. */
import type { Postgres } from '../../scripts/postgres/server.ts';
import { ownServer } from '../support/server.ts';
import { CELLS } from './support/half-done.ts';
import { tryCell } from './support/half-done-cell.ts';

describe('a version that was left in part', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });

  for (const cell of CELLS) {
    it(`${cell.way}, ${cell.how}, then ${cell.next}`, () => tryCell(server.url, cell));
  }
});
