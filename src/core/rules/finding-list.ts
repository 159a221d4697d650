/** The findings of a whole directory, each with its fingerprint. */
import * as crypto from 'node:crypto';

import type { Finding } from './finding.ts';
import type { ScriptRemark } from '../sql/script-plan.ts';
import type { CheckId } from './checks.ts';
import type { Found } from './findings.ts';

/** Equal findings of a file are told apart by their number. */
export class FindingList {
  readonly all: Finding[] = [];
  readonly #seen = new Map<string, number>();

  has(severity: Finding['severity']): boolean {
    return this.all.some((one) => one.severity === severity);
  }

  check(
    rule: CheckId,
    severity: Finding['severity'],
    found: { readonly message: string; readonly file?: string } & Partial<ScriptRemark>,
  ): void {
    this.add({ rule, severity, ...found, subject: found.message });
  }

  add({
    subject,
    statement: _,
    ...finding
  }: Omit<Finding, 'fingerprint'> & Pick<Found, 'subject' | 'statement'>): void {
    const { rule, file = '' } = finding;
    const what = JSON.stringify([rule, file, subject.replaceAll(/\s+/g, ' ')]);
    const nth = this.#seen.get(what) ?? 0;
    this.#seen.set(what, nth + 1);
    this.all.push({ ...finding, fingerprint: crypto.hash('sha256', `${what}${nth === 0 ? '' : nth}`).slice(0, 32) });
  }
}
