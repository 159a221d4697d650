/** What does the log say of an event? */
export type Level = 'debug' | 'info' | 'warn' | 'error';

export interface Description {
  readonly level: Level;
  /** The same for every event of the type, so that logs can be searched by it. */
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The facts for people; printed after the message in the text format. */
  readonly detail?: string;
  /** stdout, or the error at the end, shows the same. */
  readonly alsoOnStdout?: true;
}
