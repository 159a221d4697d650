/** What people see who run it on a terminal. */
import { expect } from 'chai';

import { CLEAR, hasPseudoTerminals, startOnTerminal, type TerminalRun } from '../support/pseudo-terminal.ts';
import { skip } from '../support/skip.ts';
import { useWorkspace } from '../support/workspace.ts';

const COLOR = '\u001b[32m';

describe('on a terminal', () => {
  const workspace = useWorkspace();

  before(function () {
    if (!hasPseudoTerminals()) skip(this, 'There is no "script" of util-linux here, which makes pseudo terminals.');
  });

  function start(args: readonly string[], more: Readonly<Record<string, string>> = {}, piped = ''): TerminalRun {
    const run = startOnTerminal(args, { ...workspace().env, ...more }, piped);
    workspace().defer(run.kill);
    return run;
  }

  it('up says a line for each migration with its time, and one for all that are skipped', async () => {
    await workspace().write({ '001_a.up.sql': 'CREATE TABLE a ()', '002_bc.up.sql': 'CREATE TABLE b ()' });
    const first = start(['up']);
    const { code, screen } = await first.ended;
    expect(code).to.equal(0);
    expect(screen.join('\n')).to.match(
      /^ {2}up 001_a {2} +\d+ ms\n {2}up 002_bc +\d+ ms\nDone\. 2 migrations in [\d.]+ m?s\n$/,
    );
    expect(first.written()).to.include(`${COLOR}up`);
    await workspace().write({ '003_d.up.sql': 'CREATE TABLE d ()' });
    const plain = start(['up'], { NO_COLOR: '1' });
    expect((await plain.ended).screen.slice(0, 2).join('\n')).to.match(
      /^ {2}skip 2 migrations \(already applied\)\n {2}up 003_d +\d+ ms$/,
    );
    expect(plain.written()).to.not.include('\u001b[3');
    expect((await start(['up', '--verbose']).ended).screen).to.include('  skip 001_a (already applied)');
  });

  it('a failure and a status fit into 80 columns', async () => {
    const long = `002_${'long_'.repeat(15)}name`;
    await workspace().write({ '001_a.up.sql': 'CREATE TABLE a ()', [`${long}.up.sql`]: 'ALTER TABLE a ADD b integr' });
    const failed = await start(['up']).ended;
    expect(failed.code).to.equal(40);
    expect(failed.screen).to.include('why:   type "integr" does not exist (SQLSTATE 42704)');
    const status = await start(['status']).ended;
    expect(status.screen[2]).to.match(/^002_.+….+name {2}pending$/);
    for (const line of status.screen) expect(line.length, line).to.be.at.most(80);
  });

  it('a mistyped host is one line that says what ends the wait, and nothing of it stays', async () => {
    await workspace().write({ '001_a.up.sql': 'CREATE TABLE a ()' });
    const run = start(['up', '--connect-wait', '1s'], { DATABASE_URL: 'postgresql://u@nowhere.invalid:5432/d' });
    await run.shows('(--connect-wait=1s ends it): ');
    const { code, screen } = await run.ended;
    expect(code).to.equal(30);
    expect(screen[0]).to.match(/^error: .*nowhere\.invalid/);
    expect(screen.join('\n')).to.not.include('waiting');
  });

  it('Ctrl-C leaves nothing of the line at the bottom behind', async () => {
    await workspace().write({ '001_slow.up.sql': 'SELECT pg_sleep(60)' });
    const run = start(['up']);
    await run.shows('  up 001_slow ');
    run.press('\u0003');
    const { code, screen } = await run.ended;
    expect(code).to.equal(130);
    expect(screen[0]).to.match(/^error: .*interrupted by SIGINT/);
    expect(screen.join('\n')).to.not.include('up 001_slow');
  });

  it('a pipe gets the lines that people grep for, and nothing is drawn', async () => {
    await workspace().write({ '001_a.up.sql': 'SELECT pg_sleep(1)' });
    const run = start(['up'], {}, '| cat');
    expect((await run.ended).screen).to.include.members(['  up 001_a', 'Done.']);
    expect(run.written()).to.not.include(CLEAR);
  });
});
