/** squawk reviews the examples of our rules too: where it says something else, scripts/docs/peers.ts lists it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';

import { ONLY_SQUAWK_ON_GOOD, PEERS } from '../../scripts/docs/peers.ts';
import { RULES } from '../../src/core/rules/rules.ts';

/** About how the runner works, which is not squawk's to know. */
const OF_THE_RUNNER = /^(?:require-(?:lock|statement)-timeout|prefer-robust-stmts)$/;
/** squawk finds two things in these bad examples; the second is not what our rule is about. */
const BESIDE: Readonly<Record<string, string>> = {
  'add-column-check': 'prefer-bigint-over-int',
  'enum-value-used-at-once': 'require-enum-value-ordering',
};

interface Violation {
  readonly file: string;
  readonly rule_name: string;
}

describe('squawk, asked about our examples', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-squawk-'));
  let violations: readonly Violation[];

  before(() => {
    for (const { id, bad, good } of RULES) {
      writeFileSync(join(folder, `${id}.bad.sql`), `${bad}\n`);
      for (const [position, text] of good.entries())
        writeFileSync(join(folder, `${id}.good${position}.sql`), `${text}\n`);
    }
    const manifest = createRequire(import.meta.url).resolve('squawk-cli/package.json');
    const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { squawk: string } };
    const program = join(dirname(manifest), bin.squawk);
    const args = ['--reporter', 'json', '--assume-in-transaction', '--pg-version', '18', '*.sql'];
    const { stdout, stderr } = spawnSync(process.execPath, [program, ...args], { cwd: folder, encoding: 'utf8' });
    expect(stderr).to.equal('');
    violations = JSON.parse(stdout);
  });
  after(() => rmSync(folder, { recursive: true }));

  function reported(matches: (file: string) => boolean): string[] {
    const names = violations.filter(({ file }) => matches(file)).map(({ rule_name }) => rule_name);
    return [...new Set(names)].filter((name) => !OF_THE_RUNNER.test(name)).toSorted();
  }

  for (const { id } of RULES) {
    it(`reports of the bad example of ${id} what docs/rules.md says`, () => {
      const found = reported((file) => file === `${id}.bad.sql`).filter((name) => name !== BESIDE[id]);
      expect(found.join(', ')).to.equal(PEERS[id]?.squawk ?? '');
    });
  }

  it('reports no good example, but those that are listed', () => {
    const found = RULES.flatMap(({ id }) =>
      reported((file) => file.startsWith(`${id}.good`)).map((name) => `${id} ${name}`),
    );
    expect(found).to.have.members(ONLY_SQUAWK_ON_GOOD.map(([rule, name]) => `${rule} ${name}`));
  });
});
