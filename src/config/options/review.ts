/** Which settings say what `validate` looks at, and how it reports? */
import type { OptionEntry } from './entry.ts';

export const REVIEW_OPTIONS = {
  since: {
    type: 'text',
    group: 'What to do',
    commands: ['validate'],
    value: 'REF',
    help: 'Report only files that are new since this git ref, such as origin/main; needs the program git.',
  },
  newerThan: {
    type: 'version',
    group: 'What to do',
    commands: ['validate'],
    help: 'Report only versions newer than this one, such as the newest one in production.',
  },
  rule: {
    type: 'text',
    group: 'What to do',
    commands: ['validate'],
    value: 'RULE=LEVEL,…',
    repeatable: true,
    help: 'How serious a rule, or a family of rules such as style, is: off, note, warning or error.',
  },
  format: {
    type: 'choice',
    choices: ['text', 'json', 'github', 'gitlab', 'sarif'],
    default: 'text',
    group: 'Output',
    commands: ['validate'],
    help: 'How to report: for people, as --json, or as annotations of GitHub, code quality of GitLab, or SARIF.',
  },
  pathPrefix: {
    type: 'text',
    group: 'Output',
    commands: ['validate'],
    value: 'DIR',
    help: 'The directory of the files as the repository has it, for these annotations.',
    defaultHelp: 'the directory from where Lockstep runs',
  },
} as const satisfies Record<string, OptionEntry>;
