// Answers: how is goose run? By its command line (Go), where there is one on the PATH.
import { versionOf, writeFiles, type Contender } from './contender.ts';
import type { Migration } from '../migrations.ts';

export const goose: Contender = {
  name: 'goose',
  onNode: false,
  async prepare(folder, url, migrations) {
    await writeFiles(
      folder,
      migrations.map((migration) => [`${versionOf(migration)}.sql`, textOf(migration)]),
    );
    return { file: 'goose', args: ['-dir', folder, 'postgres', url, 'up'], env: {}, cwd: folder };
  },
};

/** A statement whose body has semicolons needs marks; around all of them they do no harm. */
function textOf({ sql, undo, alone }: Migration): string {
  const marked = (text: string): string => `-- +goose StatementBegin\n${text}-- +goose StatementEnd\n`;
  return `${alone === true ? '-- +goose NO TRANSACTION\n' : ''}-- +goose Up\n${marked(sql)}-- +goose Down\n${marked(undo)}`;
}
