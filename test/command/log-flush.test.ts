/** The log is complete when the process ends, even with a slow reader. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';

import { eventually, within } from '../support/bounded.ts';
import { lockstepCommand } from '../support/cli.ts';
import { useWorkspace } from '../support/workspace.ts';

/** More than a pipe and its stream can buffer. */
const LINES = 600;

describe('the log', () => {
  const workspace = useWorkspace();

  for (const exit of [0, 40]) {
    it(`loses no line before exit ${exit} when its reader starts late`, async () => {
      await workspace().write({
        '001_talk.up.sql': `CREATE TABLE talk ();\nDO $$ BEGIN FOR n IN 1..${LINES} LOOP RAISE NOTICE 'line % %', n, repeat('x', 100); END LOOP; END $$;`,
        ...(exit === 40 && { '002_wrong.up.sql': 'SELECT nope;' }),
      });
      const [command, ...first] = lockstepCommand();
      const child = spawn(command, [...first, 'up'], {
        env: workspace().env,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      workspace().defer(() => child.kill('SIGKILL'));
      const exited = once(child, 'close') as Promise<[number | null]>;
      // The reader starts after the commit: by then the pipe is full, as the log is larger than its buffer.
      await eventually('the migration to be committed', async () => {
        const [found] = await workspace().query<{ there: boolean }>("SELECT to_regclass('talk') IS NOT NULL AS there");
        return found?.there;
      });
      expect(child.exitCode, 'ended with the log unread').to.equal(null);
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      const [code] = await within(exited, () => `the run to end; it said ${text.length} characters`);
      expect(code).to.equal(exit);
      const lines = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const told = lines
        .filter(({ event }) => event === 'server.notice')
        .map((line) => Number(/^line (\d+) /.exec(String(line['text']))?.[1]));
      expect(told).to.deep.equal(Array.from({ length: LINES }, (_, index) => index + 1));
      expect(lines.at(-1)).to.deep.include({ event: exit === 0 ? 'run.finished' : 'run.failed' });
    });
  }
});
