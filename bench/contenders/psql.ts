// Answers: how fast could 1,000 files be applied? psql executes the same files in one session, a transaction for each,
// and keeps no record.
import { spawnSync } from 'node:child_process';
import { pairs, versionOf, writeFiles, type Contender } from './contender.ts';

export const psql: Contender = {
  name: 'psql',
  onNode: false,
  async prepare(folder, url, migrations) {
    const script = migrations.map((migration) => `BEGIN;\n\\i ${versionOf(migration)}.up.sql\nCOMMIT;\n`).join('');
    await writeFiles(folder, [...pairs(migrations), ['all.sql', script]]);
    return { file: 'psql', args: ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', 'all.sql', url], env: {}, cwd: folder };
  },
};

export function hasPsql(): boolean {
  return spawnSync('psql', ['--version']).status === 0;
}
