/**
 * A container with any user, nothing writable, no capabilities, no home, no /tmp and no shell; and PID 1 exits cleanly.
 */
import { expect } from 'chai';

import { closeGate } from '../support/gate.ts';
import { file, FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../support/migrations.ts';
import { useLockstepImage, useSharedWorkspace } from './support/lockstep-image.ts';

/** How the process sees its container, as JSON. */
const LOOK = `const { existsSync, readFileSync } = require('node:fs');
const status = readFileSync('/proc/self/status', 'utf8');
console.log(JSON.stringify({
  pid: process.pid,
  user: process.getuid() + ':' + process.getgid(),
  home: process.env.HOME,
  found: ['/tmp', '/nowhere', '/bin/sh', '/usr/bin/env'].filter(existsSync),
  rights: /^CapEff:\\s*(\\w+)/m.exec(status)[1],
  noNewPrivileges: /^NoNewPrivs:\\s*(\\d)/m.exec(status)[1],
  root: readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').find((line) => line.split(' ')[4] === '/').split(' ')[5].split(',')[0],
}))`;

/** Undefined is the image's own user; the second is an OpenShift user. */
const USERS = [undefined, '1000650000:0', '12345:54321'] as const;

const HOOK = `import { isMainThread } from 'node:worker_threads';
export default async ({ pool, log }) => {
  await pool.query("INSERT INTO accounts (name) VALUES ('by the hook')");
  log(\`in a thread of its own: \${!isMainThread}\`);
};
`;

describe('a restricted container', () => {
  const image = useLockstepImage();
  const workspace = useSharedWorkspace();

  for (const user of USERS) {
    const who = user ?? '65532:65532';

    it(`is where these tests run (as ${who})`, async () => {
      expect(JSON.parse(await image().probe(LOOK, user === undefined ? {} : { user }))).to.deep.equal({
        pid: 1,
        user: who,
        home: '/nowhere',
        found: [],
        rights: '0000000000000000',
        noNewPrivileges: '1',
        root: 'ro',
      });
    });

    it(`can run migrations and a hook (as ${who})`, async () => {
      const more = file(6, 'hooked', "UPDATE accounts SET name = upper(name) WHERE name LIKE 'by%';");
      await workspace().write({ ...FIVE_FILES, ...more, '006_hooked.before.mjs': HOOK });
      const { code, stderr, logs } = await image().runIn(workspace(), ['up'], user === undefined ? {} : { user });
      expect(code, stderr).to.equal(0);
      expect(logs.filter(({ event }) => event === 'hook.log').map(({ text }) => text)).to.deep.equal([
        'in a thread of its own: true',
      ]);
      expect(await workspace().query(`SELECT name FROM accounts WHERE id > 10`)).to.deep.equal([
        { name: 'BY THE HOOK' },
      ]);
    });
  }

  it('logs only lines of JSON', async () => {
    await workspace().write(FIVE_FILES);
    const { stderr, logs } = await image().runIn(workspace(), ['up']);
    expect(stderr.trimEnd().split('\n')).to.have.length(logs.length);
    for (const line of logs) expect(line).to.include.keys('time', 'level', 'msg', 'event', 'run');
  });
});

describe('PID 1 of a container', () => {
  const image = useLockstepImage();
  const workspace = useSharedWorkspace();

  for (const [signal, exit] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    it(`ends at ${signal} with ${exit}, rolls back and releases the lock`, async () => {
      const gate = await closeGate(workspace());
      const more = file(6, 'half', `CREATE TABLE half (id int);\n${gate.sql}`);
      await workspace().write({ ...FIVE_FILES, ...more });
      const container = image().startIn(workspace(), ['up']);
      await gate.arrived();
      await container.kill(signal);
      const { code, stderr, logs } = await container.exited;
      expect(code, stderr).to.equal(exit);
      expect(logs.at(-1)?.['error']).to.include({ code: 'INTERRUPTED' });
      expect(await workspace().lockSessions()).to.deep.equal([]);
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
      expect(await workspace().query(`SELECT to_regclass('half') AS half`)).to.deep.equal([{ half: null }]);
      await gate.open();
      expect((await image().runIn(workspace(), ['up'])).code).to.equal(0);
      expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    });
  }
});
