// Answers: how is graphile-migrate run? By its command line, on committed migrations: a chain in which each names the
// one before.
import { createHash } from 'node:crypto';
import { writeFiles, type Contender } from './contender.ts';
import { nodeCommand } from './peer.ts';
import type { Migration } from '../migrations.ts';

export const graphileMigrate: Contender = {
  name: 'graphile-migrate',
  onNode: true,
  async prepare(folder, url, migrations) {
    await writeFiles(folder, [['.gmrc', '{}'], ...committed(migrations)]);
    return await nodeCommand(folder, url, ['node_modules/graphile-migrate/dist/cli.js', 'migrate']);
  },
};

/** Its `commit` replays everything on a second database: here the same files are written at once. */
function committed(migrations: readonly Migration[]): (readonly [string, string])[] {
  let previous = '';
  return migrations.map(({ number, name, sql, alone }) => {
    const body = `${alone === true ? '--! no-transaction\n' : ''}${sql.trim()}\n`;
    const hash = `sha1:${createHash('sha1')
      .update(`${`${previous}\n${body.trim()}`.trim()}\n`)
      .digest('hex')}`;
    const text = `--! Previous: ${previous === '' ? '-' : previous}\n--! Hash: ${hash}\n\n${body}`;
    previous = hash;
    return [`migrations/committed/${String(number).padStart(6, '0')}-${name.replaceAll('_', '-')}.sql`, text];
  });
}
