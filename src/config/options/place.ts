/** Which settings say where the database and the files are? */
import { DATABASE, FILES, type OptionEntry } from './entry.ts';

export const PLACE_OPTIONS = {
  databaseUrl: {
    type: 'text',
    group: 'Database',
    commands: DATABASE,
    standardEnv: 'DATABASE_URL',
    help: 'postgresql://user@host:5432/database. A password on the command line can be seen in ps: prefer the variable or the file.',
    defaultHelp: 'PGHOST, PGDATABASE, …',
  },
  databaseUrlFile: {
    type: 'text',
    group: 'Database',
    commands: DATABASE,
    help: 'A file with the address, read again at each connection attempt.',
  },
  passwordFile: {
    type: 'text',
    group: 'Database',
    commands: DATABASE,
    help: 'A file with the password, read again at each connection attempt.',
  },
  passwordCommand: {
    type: 'words',
    group: 'Database',
    commands: DATABASE,
    help: 'A program, with arguments, that prints the password; run without a shell at each connection attempt.',
  },
  role: { type: 'text', group: 'Database', commands: DATABASE, help: 'Work as this role (SET ROLE).' },
  allowPooler: {
    type: 'boolean',
    group: 'Database',
    commands: DATABASE,
    help: 'Go through a connection pooler that pools by session (checked); otherwise a pooler is refused.',
  },
  connectWait: {
    type: 'duration',
    default: '60s',
    min: 0,
    group: 'Database',
    commands: DATABASE,
    help: 'How long to wait for the server to be reachable; 0 tries once.',
  },
  table: {
    type: 'table',
    default: 'schema_migrations',
    group: 'Database',
    commands: DATABASE,
    help: 'The history table: name or schema.name.',
  },
  lockKey: {
    type: 'lock key',
    group: 'Database',
    commands: DATABASE,
    help: 'The advisory lock to use: a signed 64-bit number, decimal or 0x hexadecimal.',
    defaultHelp: 'made from the table name',
  },

  dir: {
    type: 'text',
    default: './migrations',
    group: 'Files',
    commands: [...FILES, 'create'],
    help: 'The directory with the migration files.',
  },
  allowEmpty: {
    type: 'boolean',
    group: 'Files',
    commands: FILES,
    help: 'Accept a directory without any migration files.',
  },
  strict: {
    type: 'boolean',
    group: 'Files',
    commands: ['up', 'down', 'validate'],
    help: 'Refuse what is otherwise a warning: duplicate numbers, changed files, out of order, a database ahead of the files.',
  },
} as const satisfies Record<string, OptionEntry>;
