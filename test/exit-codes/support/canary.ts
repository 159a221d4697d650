/** A secret that tests put everywhere a secret may be, and the check that no output shows it. */
import { expect } from 'chai';

/** In the address, in the environment, in files and in SQL; never in what is said. */
export const CANARY = 'c4nary-s3cret';

/** The server does not ask for a password. */
export function withPassword(address: string): string {
  const url = new URL(address);
  if (url.password === '') url.password = CANARY;
  return url.href;
}

export function expectNoSecret(...said: readonly string[]): void {
  for (const text of said) expect(text).to.not.include(CANARY);
}
