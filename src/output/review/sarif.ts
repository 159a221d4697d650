/** The report of `validate` as one SARIF 2.1.0 document. */
import type { ValidateReport } from '../../core/reports.ts';
import type { Finding } from '../../core/rules/finding.ts';
import { CHECKS } from '../../core/rules/checks.ts';
import { RULES } from '../../core/rules/rules.ts';
import { printableJson } from '../../core/text/printable.ts';
import { VERSION } from '../../core/version.ts';
import { pathOf } from './paths.ts';

interface Described {
  readonly id: string;
  readonly shortDescription: { readonly text: string };
  readonly help?: { readonly text: string };
}

export function formatSarif({ findings }: ValidateReport, prefix: string): string {
  const rules: readonly Described[] = [
    ...Object.entries(CHECKS).map(([id, text]) => ({ id, shortDescription: { text } })),
    ...RULES.map(({ id, blocks, instead }) => ({ id, shortDescription: { text: blocks }, help: { text: instead } })),
  ];
  const indexes = new Map(rules.map(({ id }, index) => [id, index]));
  const document = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'Lockstep', version: VERSION, rules } },
        // Lockstep counts characters, not UTF-16 code units.
        columnKind: 'unicodeCodePoints',
        results: findings.map((finding) => result(finding, { prefix, index: indexes.get(finding.rule) ?? -1 })),
      },
    ],
  };
  return printableJson(document, 2);
}

function result(
  { severity, rule, message, file, line, column, fingerprint }: Finding,
  { prefix, index }: { readonly prefix: string; readonly index: number },
): object {
  const region =
    line === undefined ? {} : { region: { startLine: line, ...(column !== undefined && { startColumn: column }) } };
  const uri = pathOf(prefix, file).split('/').map(encodeURIComponent).join('/');
  return {
    ruleId: rule,
    ruleIndex: index,
    level: severity,
    message: { text: message },
    ...(file !== undefined && { locations: [{ physicalLocation: { artifactLocation: { uri }, ...region } }] }),
    partialFingerprints: { 'lockstep/v1': fingerprint },
  };
}
