/** Which settings say which database of a fleet is meant? */
import { DATABASE, ONE_DATABASE, type OptionEntry } from './entry.ts';

export const FLEET_OPTIONS = {
  target: {
    type: 'target',
    group: 'Database',
    commands: ONE_DATABASE,
    value: 'NAME',
    rare: true,
    help: 'One database of a fleet: its address is in the file of that name in --targets-dir.',
  },
  targets: {
    type: 'targets',
    group: 'Database',
    commands: DATABASE,
    value: 'NAME,…',
    rare: true,
    help: 'The names of a fleet. Without --target, the name at --target-index is meant.',
    defaultHelp: 'for "fleet status", every file in --targets-dir',
  },
  targetIndex: {
    type: 'integer',
    min: 0,
    group: 'Database',
    commands: ONE_DATABASE,
    standardEnv: 'JOB_COMPLETION_INDEX',
    rare: true,
    help: 'Which of --targets, counted from 0. Kubernetes sets the variable in each pod of an Indexed Job.',
  },
  targetsDir: {
    type: 'text',
    group: 'Database',
    commands: DATABASE,
    value: 'DIR',
    rare: true,
    help: 'A directory with the address of each database of a fleet in a file of its name, such as a mounted Secret.',
  },
  targetsParallel: {
    type: 'integer',
    default: '10',
    min: 1,
    group: 'Database',
    commands: ['fleet'],
    help: 'How many databases are asked at the same time.',
  },
} as const satisfies Record<string, OptionEntry>;
