/** The report of `validate` as a code quality report of GitLab. */
import type { ValidateReport } from '../../core/reports.ts';
import { printableJson } from '../../core/text/printable.ts';
import { pathOf } from './paths.ts';

const SEVERITIES = { error: 'critical', warning: 'major', note: 'info' } as const;

/** An empty array where nothing was found: GitLab then shows what is fixed. */
export function formatGitlab({ findings }: ValidateReport, prefix: string): string {
  const entries = findings.map(({ severity, rule, message, file, line = 1, fingerprint }) => ({
    description: message,
    check_name: rule,
    fingerprint,
    severity: SEVERITIES[severity],
    location: { path: pathOf(prefix, file), lines: { begin: line } },
  }));
  return printableJson(entries, 2);
}
