// Answers: how is knex run? By its command line, on JavaScript files that send plain SQL.
import { versionOf, writeFiles, type Contender } from './contender.ts';
import { nodeCommand } from './peer.ts';
import type { Migration } from '../migrations.ts';

export const knex: Contender = {
  name: 'knex',
  onNode: true,
  async prepare(folder, url, migrations) {
    await writeFiles(folder, [
      [
        'knexfile.js',
        `module.exports = { client: 'pg', connection: process.env.DATABASE_URL, migrations: { directory: './migrations' } };\n`,
      ],
      ...migrations.map((migration) => [`migrations/${versionOf(migration)}.js`, textOf(migration)] as const),
    ]);
    return await nodeCommand(folder, url, ['node_modules/knex/bin/cli.js', 'migrate:latest']);
  },
};

function textOf({ sql, undo, alone }: Migration): string {
  const direction = (name: string, text: string): string =>
    `exports.${name} = (knex) => knex.raw(${JSON.stringify(text)});\n`;
  const config = alone === true ? 'exports.config = { transaction: false };\n' : '';
  return direction('up', sql) + direction('down', undo) + config;
}
