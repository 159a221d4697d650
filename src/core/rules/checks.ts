/** What `validate` reports beside the rules: each check has a name, which stands in reports like a rule's id. */
export const CHECKS = {
  'file-names': 'A file that cannot be used: its name, its encoding, its directives, or no up file beside it.',
  syntax: "PostgreSQL's parser cannot read the file.",
  refused: '`up` refuses to run this file.',
  'runs-differently': 'The file runs in another way than it looks.',
  numbers: 'Numbers of migrations that are used twice or have several formats.',
  'other-files': 'Files beside the migrations that Lockstep does not apply.',
  allow: 'A comment that allows something without a reason, or that allows nothing.',
} as const;

export type CheckId = keyof typeof CHECKS;
