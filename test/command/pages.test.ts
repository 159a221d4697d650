/** The commands in README.md, run as they are written. */
import { rm } from 'node:fs/promises';
import { expect } from 'chai';

import { useDatabase } from '../support/databases.ts';
import { commandBlocks, freshClone, runBlocks, type CommandBlock } from '../support/page-commands.ts';

/** First words of blocks that need more than a PostgreSQL server; test/unit/docs.test.ts checks their command lines. */
const NEEDS_MORE: Readonly<Record<string, string>> = {
  'helm ': 'a cluster and Helm; test/cluster installs the chart',
  'kubectl ': 'a cluster; test/cluster starts the rollback',
};

function needsMore({ text }: CommandBlock): boolean {
  return Object.keys(NEEDS_MORE).some((word) => text.startsWith(word));
}

/** Lines without the parts that depend on who runs them, when and where. */
function timeless(text: string): string[] {
  return text
    .split('\n')
    .map((line) =>
      line
        .replace(/^\d\d:\d\d:\d\d\.\d{3} /, '')
        .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
        .replaceAll(/\d+ ms/g, 'N ms')
        .trim(),
    )
    .filter((line) => line !== '');
}

describe('the commands in README.md', () => {
  const database = useDatabase();
  let folder = '';
  let blocks: readonly CommandBlock[] = [];
  let outputs: readonly string[] = [];

  before('run them', async function () {
    this.timeout(180_000);
    folder = await freshClone();
    blocks = (await commandBlocks('README.md')).filter((block) => !needsMore(block));
    outputs = await runBlocks(blocks, {
      cwd: folder,
      // The log is text on a terminal.
      env: { LOCKSTEP_LOG_FORMAT: 'text' },
      instead: { 'postgresql://app@localhost:5432/shop': database() },
    });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('all succeed in order', () => {
    expect(outputs).to.have.length(blocks.length).and.to.have.length.at.least(3);
  });

  it('print the output that the page shows', () => {
    const shown = blocks
      .map((block, index) => ({ block, said: outputs[index]! }))
      .filter(({ block: { shown = '', text } }) => shown !== '' && text.includes('lockstep'));
    expect(shown).to.have.length.at.least(1);
    for (const { block, said } of shown)
      expect(timeless(said), `line ${block.line}`).to.include.members(timeless(block.shown!));
  });

  it('are skipped only for a reason that still applies', async () => {
    const all = await commandBlocks('README.md');
    for (const word of Object.keys(NEEDS_MORE))
      expect(
        all.some(({ text }) => text.startsWith(word)),
        word,
      ).to.equal(true);
  });

  it('fail the test when one of them fails', async () => {
    const wrong = [
      {
        line: 7,
        text: 'lockstep() { npx node dist/lockstep.mjs "$@"; }\nlockstep up --dir ./nowhere\n',
        shown: undefined,
      },
    ];
    const failed = await runBlocks(wrong, { cwd: folder, env: { DATABASE_URL: database() } }).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    expect(failed).to.include('the block at line 7 failed').and.to.include('nowhere');
  });
});
