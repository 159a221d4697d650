/** Which settings say in which schemas of one database a command works? */
import type { OptionEntry } from './entry.ts';

const COMMANDS = ['up', 'down', 'wait', 'status'] as const;

export const TENANT_OPTIONS = {
  schemas: {
    type: 'patterns',
    repeatable: true,
    group: 'Database',
    commands: COMMANDS,
    value: 'PATTERN,…',
    rare: true,
    help: 'Work in each schema of this name, first on the search_path, with a history of its own; * and ? are wildcards.',
  },
  excludeSchemas: {
    type: 'patterns',
    repeatable: true,
    group: 'Database',
    commands: COMMANDS,
    value: 'PATTERN,…',
    rare: true,
    help: 'Of --schemas, leave these out.',
  },
  schemasParallel: {
    type: 'integer',
    default: '1',
    min: 1,
    group: 'Database',
    commands: ['up', 'down'],
    rare: true,
    help: 'With --schemas: how many sessions work at the same time.',
  },
  failFast: {
    type: 'boolean',
    group: 'Database',
    commands: ['up', 'down'],
    rare: true,
    help: 'With --schemas: begin no further schema once one has failed.',
  },
} as const satisfies Record<string, OptionEntry>;
