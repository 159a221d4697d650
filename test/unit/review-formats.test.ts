import { expect } from 'chai';
import type { ValidateReport } from '../../src/core/reports.ts';
import type { Finding } from '../../src/core/rules/finding.ts';
import { formatGithub, githubSummary } from '../../src/output/review/github.ts';
import { formatGitlab } from '../../src/output/review/gitlab.ts';
import { pathOf } from '../../src/output/review/paths.ts';
import { formatSarif } from '../../src/output/review/sarif.ts';

const WARNING: Finding = {
  severity: 'warning',
  rule: 'drop-table',
  message: '100%:\r\nsure, really',
  file: '1_a, b:c.up.sql',
  line: 2,
  column: 3,
  fingerprint: 'f',
};
const ERROR: Finding = { severity: 'error', rule: 'numbers', message: 'twice | `here` <b>', fingerprint: 'e' };
const report: ValidateReport = { migrations: 2, findings: [WARNING, ERROR] };

describe('formats for pull requests', () => {
  it('paths are as the repository has them', () => {
    expect(pathOf('./db/migrations/', '1_a.up.sql')).to.equal('db/migrations/1_a.up.sql');
    expect(pathOf('.', '1_a.up.sql')).to.equal('1_a.up.sql');
    expect(pathOf('', '1_a.up.sql')).to.equal('1_a.up.sql');
    expect(pathOf('db', undefined)).to.equal('db');
  });

  it('github: errors first, escaped', () => {
    expect(formatGithub(report, { prefix: 'db', summary: false }).split('\n')).to.deep.equal([
      '::error title=numbers::twice | `here` <b>',
      '::warning file=db/1_a%2C b%3Ac.up.sql,line=2,col=3,title=drop-table::100%25:%0D%0Asure, really',
      '2 migrations, 2 findings',
    ]);
  });

  it('github: ten of each kind where a summary has the rest', () => {
    const many = { migrations: 1, findings: Array.from({ length: 12 }, () => WARNING) };
    expect(formatGithub(many, { prefix: '', summary: true }).split('\n')).to.have.lengthOf(11);
    expect(formatGithub(many, { prefix: '', summary: false }).split('\n')).to.have.lengthOf(13);
    expect(githubSummary(many, '').match(/^\| warning/gm)).to.have.lengthOf(12);
    expect(githubSummary(report, 'db')).to.contain('| error | numbers | db | twice \\| \\`here\\` &lt;b> |\n');
  });

  it('gitlab', () => {
    expect(JSON.parse(formatGitlab(report, 'db'))).to.deep.equal([
      {
        description: WARNING.message,
        check_name: 'drop-table',
        fingerprint: 'f',
        severity: 'major',
        location: { path: 'db/1_a, b:c.up.sql', lines: { begin: 2 } },
      },
      {
        description: ERROR.message,
        check_name: 'numbers',
        fingerprint: 'e',
        severity: 'critical',
        location: { path: 'db', lines: { begin: 1 } },
      },
    ]);
    expect(formatGitlab({ migrations: 1, findings: [] }, 'db')).to.equal('[]');
  });

  it('sarif: each result names its rule by id and index', () => {
    const { version, runs } = JSON.parse(formatSarif(report, 'db'));
    expect(version).to.equal('2.1.0');
    const [{ results, tool, columnKind }] = runs;
    expect(columnKind).to.equal('unicodeCodePoints');
    expect(results).to.have.lengthOf(2);
    for (const { ruleId, ruleIndex } of results) expect(tool.driver.rules[ruleIndex].id).to.equal(ruleId);
    expect(results[0]).to.deep.include({
      level: 'warning',
      partialFingerprints: { 'lockstep/v1': 'f' },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'db/1_a%2C%20b%3Ac.up.sql' },
            region: { startLine: 2, startColumn: 3 },
          },
        },
      ],
    });
    expect(results[1]).not.to.have.property('locations');
  });
});
