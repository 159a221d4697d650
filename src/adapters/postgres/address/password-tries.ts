/** Limits how often one password is tried: servers lock accounts after repeated failures. */
import { MigratorError } from '../../../core/errors.ts';

/** For the same password. */
const MOST_TRIES = 3;

export class PasswordTries {
  readonly #refused = new Map<string, number>();
  #last: MigratorError | undefined;

  /** @throws the last refusal, if the password was refused too often. */
  check(password = ''): void {
    const last = this.#last;
    if (!last || this.#timesOf(password) < MOST_TRIES) return;
    const summary = `${last.summary}; refused ${MOST_TRIES} times, so it is not tried again until it changes`;
    throw new MigratorError(last.code, summary, { ...last.details, hint: last.hint, cause: last });
  }

  refused(password = '', error: MigratorError): void {
    this.#refused.set(password, this.#timesOf(password) + 1);
    this.#last = error;
  }

  #timesOf(password: string): number {
    return this.#refused.get(password) ?? 0;
  }
}
