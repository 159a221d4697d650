// Answers: how is node-pg-migrate run? By its command line, on SQL files; what runs outside a transaction must be
// JavaScript.
import { versionOf, writeFiles, type Contender } from './contender.ts';
import { nodeCommand } from './peer.ts';
import type { Migration } from '../migrations.ts';

export const nodePgMigrate = contender('node-pg-migrate', []);

/** A second runner fails at once by default; this lets it wait, which is what replicas need. */
export const nodePgMigrateWaiting = contender('node-pg-migrate, waiting', ['--advisory-lock-mode', 'wait']);

function contender(name: string, args: readonly string[]): Contender {
  return {
    name,
    onNode: true,
    inOneTransaction: true,
    async prepare(folder, url, migrations) {
      await writeFiles(folder, migrations.map(fileOf));
      return await nodeCommand(folder, url, ['node_modules/node-pg-migrate/bin/node-pg-migrate.js', 'up', ...args]);
    },
  };
}

function fileOf(migration: Migration): readonly [string, string] {
  const path = `migrations/${versionOf(migration)}`;
  const { sql, undo } = migration;
  if (migration.alone !== true) return [`${path}.sql`, `-- Up Migration\n${sql}\n-- Down Migration\n${undo}`];
  const direction = (name: string, text: string): string =>
    `exports.${name} = (pgm) => {\n  pgm.noTransaction();\n  pgm.sql(${JSON.stringify(text)});\n};\n`;
  return [`${path}.js`, direction('up', sql) + direction('down', undo)];
}
