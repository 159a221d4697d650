// Answers: how is Drizzle run? By the command line of drizzle-kit, or by a script with the migrator of drizzle-orm.
import { versionOf, writeFiles, type Contender } from './contender.ts';
import { nodeCommand } from './peer.ts';
import type { Migration } from '../migrations.ts';

export const drizzleKit: Contender = {
  name: 'drizzle-kit',
  onNode: true,
  inOneTransaction: true,
  onlyInTransactions: true,
  async prepare(folder, url, migrations) {
    const settings = { dialect: 'postgresql', out: './drizzle', dbCredentials: { url } };
    await writeFiles(folder, [['drizzle.config.json', JSON.stringify(settings)], ...files(migrations)]);
    return await nodeCommand(folder, url, [
      'node_modules/drizzle-kit/bin.cjs',
      'migrate',
      '--config',
      'drizzle.config.json',
    ]);
  },
};

export const drizzleOrm: Contender = {
  name: 'drizzle-orm',
  onNode: true,
  inOneTransaction: true,
  onlyInTransactions: true,
  async prepare(folder, url, migrations) {
    await writeFiles(folder, files(migrations));
    return await nodeCommand(folder, url, ['drizzle-orm.mjs']);
  },
};

function files(migrations: readonly Migration[]): (readonly [string, string])[] {
  const entries = migrations.map((migration) => ({
    idx: migration.number - 1,
    version: '7',
    when: migration.number,
    tag: versionOf(migration),
    breakpoints: true,
  }));
  return [
    ['drizzle/meta/_journal.json', JSON.stringify({ version: '7', dialect: 'postgresql', entries })],
    ...migrations.map((migration) => [`drizzle/${versionOf(migration)}.sql`, migration.sql] as const),
  ];
}
