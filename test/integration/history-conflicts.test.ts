/**
 * Files and history that disagree: which conflicts are warnings, which are errors, and that all are reported together.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { documentOf } from '../support/json-documents.ts';
import { stateOf } from '../support/state.ts';

/** Conflicts that arise after 001, 003 and 004 were applied. */
const CONFLICTS: Readonly<Record<string, { make: 'change' | 'add' | 'remove' | 'double'; told: RegExp }>> = {
  changed: { make: 'change', told: /003_c/ },
  'out of order': { make: 'add', told: /002_b/ },
  ahead: { make: 'remove', told: /004_d/ },
  'equal numbers': { make: 'double', told: /005_e.*005_f|005_f.*005_e/ },
};

describe('files and history that disagree', () => {
  const workspace = useWorkspace();

  beforeEach(async () => {
    await workspace().write({
      ...file(1, 'a', 'CREATE TABLE a ();'),
      ...file(3, 'c', 'CREATE TABLE c ();'),
      ...file(4, 'd', 'CREATE TABLE d ();'),
    });
    expectExit(await runCli(['up'], workspace()), 0);
  });

  async function make(kind: (typeof CONFLICTS)[string]['make']): Promise<void> {
    if (kind === 'change') await workspace().write(file(3, 'c', 'CREATE TABLE c (x int);'));
    else if (kind === 'add') await workspace().write(file(2, 'b', 'CREATE TABLE b ();'));
    else if (kind === 'remove') await rm(join(workspace().dir, '004_d.up.sql'));
    else await workspace().write({ ...file(5, 'e', 'CREATE TABLE e ();'), ...file(5, 'f', 'CREATE TABLE f ();') });
  }

  const warningsOf = ({ logs }: CliResult): string[] =>
    logs.filter(({ event }) => event === 'warning').map((line) => String(line['text']));

  async function expectUnchanged(work: () => Promise<CliResult>, exit: number): Promise<CliResult> {
    const before = await stateOf(workspace());
    const result = await work();
    expectExit(result, exit);
    expect(await stateOf(workspace())).to.deep.equal(before);
    return result;
  }

  /** The conflicts that the error names, one entry each. */
  function expectAllTold(result: CliResult, told: readonly RegExp[]): void {
    const { problems } = result.logs.at(-1)!['error'] as { problems?: string[] };
    expect(problems, result.stderr).to.have.lengthOf(told.length);
    for (const words of told)
      expect(
        problems!.filter((problem) => words.test(problem)),
        String(words),
      ).to.have.lengthOf(1);
  }

  for (const [what, { make: kind, told }] of Object.entries(CONFLICTS)) {
    it(`${what}: a warning, and exit 0`, async () => {
      await make(kind);
      const result = await runCli(['up'], workspace());
      expectExit(result, 0);
      expect(warningsOf(result).filter((warning) => told.test(warning))).to.have.lengthOf(1);
      const applied = await workspace().versions();
      expect(applied).to.include.members([
        '001_a',
        '003_c',
        '004_d',
        ...(kind === 'add' ? ['002_b'] : kind === 'double' ? ['005_e', '005_f'] : []),
      ]);
    });

    it(`${what}, with --strict: exit 22, and nothing changes`, async () => {
      await make(kind);
      const result = await expectUnchanged(() => runCli(['up', '--strict'], workspace()), 22);
      expectAllTold(result, [told]);
    });
  }

  it('changed, with something else to apply or to roll back: exit 22 also without --strict', async () => {
    await make('change');
    await workspace().write({ ...file(5, 'e', 'CREATE TABLE e ();'), '004_d.down.sql': 'DROP TABLE d;' });
    expectAllTold(await expectUnchanged(() => runCli(['up'], workspace()), 22), [/003_c/]);
    expectAllTold(await expectUnchanged(() => runCli(['down', '--steps', '1'], workspace()), 22), [/003_c/]);
  });

  it('all together, with --strict: the output, the log and the document report each', async () => {
    for (const { make: kind } of Object.values(CONFLICTS)) await make(kind);
    const all = Object.values(CONFLICTS).map(({ told }) => told);
    const json = await expectUnchanged(() => runCli(['up', '--strict', '--json'], workspace()), 22);
    expectAllTold(json, all);
    const { error } = documentOf('outcome', json) as { error: { problems: string[] } };
    expect(error.problems).to.have.lengthOf(all.length);
    const text = await expectUnchanged(() => runCli(['up', '--strict', '--log-format', 'text'], workspace()), 22);
    const why = /^why:.*?^next:/ms.exec(text.stderr)?.[0] ?? '';
    for (const told of all) expect(why).to.match(told);
  });
});
