// Answers: how is umzug run? By its own command line, in a script with a resolver for SQL files and a storage in
// PostgreSQL.
import { pairs, writeFiles, type Contender } from './contender.ts';
import { nodeCommand } from './peer.ts';

export const umzug: Contender = {
  name: 'umzug',
  onNode: true,
  async prepare(folder, url, migrations) {
    await writeFiles(folder, pairs(migrations, 'migrations'));
    return await nodeCommand(folder, url, ['umzug.mjs', 'up']);
  },
};
