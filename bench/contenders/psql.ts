// Answers: how fast could files be applied? psql executes the same ones, a transaction for each, and keeps no record: in
// one session, or in one for each file, as a script in a pipeline does.
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

export const psqlPerFile: Contender = {
  name: 'psql -1 for each file',
  onNode: false,
  async prepare(folder, url, migrations) {
    await writeFiles(folder, pairs(migrations));
    const each = `for file in *.up.sql; do psql -X -q -1 -v ON_ERROR_STOP=1 -f "$file" "$0" || exit 1; done`;
    return {
      file: '/bin/sh',
      args: ['-c', each, url],
      env: { PGOPTIONS: '-c client_min_messages=warning' },
      cwd: folder,
    };
  },
};

export function hasPsql(): boolean {
  return spawnSync('psql', ['--version']).status === 0;
}
