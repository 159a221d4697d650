// Answers: how is dbmate run? Its program (Go) itself, not the script that npm puts before it.
import { createRequire } from 'node:module';
import { versionOf, writeFiles, type Contender } from './contender.ts';
import { peerFile } from './peer.ts';
import type { Migration } from '../migrations.ts';

export const dbmate: Contender = {
  name: 'dbmate',
  onNode: false,
  async prepare(folder, url, migrations) {
    await writeFiles(
      folder,
      migrations.map((migration) => [`${versionOf(migration)}.sql`, textOf(migration)]),
    );
    const program = createRequire(peerFile('package.json')).resolve(
      `@dbmate/${process.platform}-${process.arch}/bin/dbmate`,
    );
    // `migrate` is `up` without a look at whether the database is there; the schema would be dumped by pg_dump.
    return {
      file: program,
      args: ['--no-dump-schema', '--migrations-dir', folder, 'migrate'],
      env: { DATABASE_URL: url },
      cwd: folder,
    };
  },
};

function textOf({ sql, undo, alone }: Migration): string {
  return `-- migrate:up${alone === true ? ' transaction:false' : ''}\n${sql}\n-- migrate:down\n${undo}`;
}
