/** Which settings limit waiting, statements and hooks? */
import { CHANGING, type OptionEntry } from './entry.ts';

export const LIMIT_OPTIONS = {
  lockWait: {
    type: 'duration',
    default: '10m',
    min: 0,
    group: 'Limits',
    commands: CHANGING,
    help: 'How long to wait for another runner; 0 tries once.',
  },
  lockTimeout: {
    type: 'duration',
    default: '5s',
    min: 0,
    group: 'Limits',
    commands: ['up', 'down'],
    help: 'How long a statement may wait for a table lock; then it is cancelled and retried. 0 is no limit.',
  },
  statementTimeout: {
    type: 'duration',
    default: '0',
    min: 0,
    group: 'Limits',
    commands: ['up', 'down'],
    rare: true,
    help: 'How long a statement may run; 0 is no limit.',
  },
  journalKeep: {
    type: 'age',
    default: '30d',
    min: 0,
    group: 'Limits',
    commands: ['up', 'down'],
    rare: true,
    help: 'How long the journal keeps rows of runs that changed nothing; 0 is forever.',
  },
  hookMemory: {
    type: 'memory',
    group: 'Limits',
    commands: ['up'],
    rare: true,
    help: 'How much memory a pre-migration hook may use; at least 32Mi.',
    defaultHelp: "half of the container's limit, else 512Mi",
  },
  hookTimeout: {
    type: 'duration',
    default: '30m',
    min: 1,
    group: 'Limits',
    commands: ['up'],
    rare: true,
    help: 'How long a pre-migration hook may run.',
  },
  cancelBlockedWaiters: {
    type: 'boolean',
    default: 'true',
    group: 'Limits',
    commands: ['up', 'down'],
    rare: true,
    help: 'Do not cancel older runners that block inside PostgreSQL and would deadlock CREATE INDEX CONCURRENTLY; exit with 32 instead.',
  },
} as const satisfies Record<string, OptionEntry>;
