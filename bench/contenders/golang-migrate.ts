// Answers: how is golang-migrate run? By its command line (Go), where there is one on the PATH.
import { pairs, writeFiles, type Contender } from './contender.ts';

export const golangMigrate: Contender = {
  name: 'golang-migrate',
  onNode: false,
  async prepare(folder, url, migrations) {
    await writeFiles(folder, pairs(migrations));
    return { file: 'migrate', args: ['-path', folder, '-database', url, 'up'], env: {}, cwd: folder };
  },
};
