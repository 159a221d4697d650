/** The report of `validate` as workflow commands of GitHub Actions, and as a summary of the step. */
import type { ValidateReport } from '../../core/reports.ts';
import type { Finding } from '../../core/rules/finding.ts';
import { counted } from '../words.ts';
import { pathOf } from './paths.ts';

/** GitHub shows no more of each kind in one step. */
const MOST_SHOWN = 10;

const COMMANDS = { error: 'error', warning: 'warning', note: 'notice' } as const;
const SEVERITIES = ['error', 'warning', 'note'] as const;

/** Errors first; with `summary`, what GitHub would not show is there instead. */
export function formatGithub(
  { migrations, findings }: ValidateReport,
  { prefix, summary }: { readonly prefix: string; readonly summary: boolean },
): string {
  const lines = SEVERITIES.flatMap((severity) => {
    const found = findings.filter((finding) => finding.severity === severity);
    return (summary ? found.slice(0, MOST_SHOWN) : found).map((finding) => command(finding, prefix));
  });
  return [...lines, `${counted(migrations, 'migration')}, ${counted(findings.length, 'finding')}`].join('\n');
}

/** Every finding, in Markdown. */
export function githubSummary({ migrations, findings }: ValidateReport, prefix: string): string {
  const rows = SEVERITIES.flatMap((severity) =>
    findings
      .filter((finding) => finding.severity === severity)
      .map(({ rule, message, file, line }) => {
        const place = [pathOf(prefix, file), line].filter((part) => part !== undefined).join(':');
        return `| ${[severity, cell(rule), cell(place), cell(message)].join(' | ')} |`;
      }),
  );
  const table = rows.length === 0 ? [] : ['', '| | rule | file | |', '|---|---|---|---|', ...rows];
  const counts = `${counted(migrations, 'migration')}, ${counted(findings.length, 'finding')}`;
  return `${['### lockstep validate', '', counts, ...table].join('\n')}\n`;
}

function command({ severity, rule, message, file, line, column }: Finding, prefix: string): string {
  const place = file === undefined ? {} : { file: pathOf(prefix, file), line, col: column };
  const properties = Object.entries({ ...place, title: rule }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${escapedProperty(String(value))}`],
  );
  return `::${COMMANDS[severity]} ${properties.join(',')}::${escaped(message)}`;
}

/** The rules of actions/toolkit, packages/core/src/command.ts. */
function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapedProperty(text: string): string {
  return escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

function cell(text: string): string {
  return text
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\|`]/g, String.raw`\$&`);
}
