// Answers: how is postgrator run? By its command line, with a settings file.
import { writeFiles, type Contender } from './contender.ts';
import { nodeCommand } from './peer.ts';

export const postgrator: Contender = {
  name: 'postgrator',
  onNode: true,
  async prepare(folder, url, migrations) {
    const { hostname, port, username, pathname } = new URL(url);
    const settings = {
      driver: 'pg',
      host: hostname,
      port: Number(port),
      username,
      database: pathname.slice(1),
      migrationPattern: 'migrations/*',
    };
    await writeFiles(folder, [
      ['.postgratorrc.json', JSON.stringify(settings)],
      ...migrations.flatMap(({ number, name, sql, undo }) => {
        const padded = String(number).padStart(5, '0');
        return [
          [`migrations/${padded}.do.${name}.sql`, sql],
          [`migrations/${padded}.undo.${name}.sql`, undo],
        ] as const;
      }),
    ]);
    return await nodeCommand(folder, url, ['node_modules/postgrator-cli/index.js']);
  },
};
