/** What a finding of `validate` says. */

/** Something that `validate` found. `line` and `column` count from 1. */
export interface Finding {
  /** A note never fails, also with `--strict`. */
  readonly severity: 'error' | 'warning' | 'note';
  /** The id of a rule or of a check (src/core/rules/checks.ts). */
  readonly rule: string;
  readonly message: string;
  /** Of a rule: what it blocks or breaks, and how to write it instead. */
  readonly blocks?: string;
  readonly instead?: string;
  /** The same for the same statement on another line; for tools that compare two reports. */
  readonly fingerprint: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}
