/**
 * Passwords that live for less time than a run: the session keeps working with an old one, and what connects later (the
 * progress of a long statement, a hook) uses the one of that moment.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, startCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { ownServer } from '../support/server.ts';
import type { Postgres } from '../../scripts/postgres/server.ts';
import { useWorkspace } from '../support/workspace.ts';

const TOKENS = ['t0ken-one', 't0ken-two', 't0ken-three'] as const;

describe('a token that expires while a run is at work', () => {
  let server: Postgres;
  const workspace = useWorkspace(() => server.url);

  before('a server that asks for passwords', async () => {
    server = await ownServer();
    const hba = join(server.dataDir, 'pg_hba.conf');
    await writeFile(hba, `host all by_token 127.0.0.1/32 scram-sha-256\n${await readFile(hba, 'utf8')}`);
    await server.restart('fast');
  });
  after(() => server.stop());

  const path = (): string => join(workspace().dir, '.token');

  /** From now on the server refuses every other token, and the file has the new one, as a sidecar would write it. */
  async function renew(token: string): Promise<void> {
    await workspace().query(`ALTER ROLE by_token PASSWORD '${token}'`);
    await writeFile(`${path()}.new`, token);
    await rename(`${path()}.new`, path());
  }

  const WAYS: Readonly<Record<string, () => Record<string, string>>> = {
    'a password command': () => ({ LOCKSTEP_PASSWORD_COMMAND: `cat '${path()}'` }),
    'a file': () => ({ LOCKSTEP_PASSWORD_FILE: path() }),
  };
  for (const [way, env] of Object.entries(WAYS)) {
    it(`does not end the run, which takes a new one from ${way} for each connection`, async () => {
      await workspace().query('DROP ROLE IF EXISTS by_token');
      await workspace().query('CREATE ROLE by_token SUPERUSER LOGIN');
      await renew(TOKENS[0]);
      const gate = await closeGate(workspace());
      await workspace().write({
        '001_build.up.sql': `CREATE TABLE built (n int);\n${gate.sql}`,
        '002_after.up.sql': 'CREATE TABLE after_build (n int);',
        '002_after.before.mjs':
          "export default async ({ pool, log }) => log(`hook as ${(await pool.query('SELECT current_user AS u')).rows[0].u}`);",
      });
      const url = Object.assign(new URL(workspace().url), { username: 'by_token', password: '' }).href;
      const run = startCli(['up'], { env: { ...workspace().env, ...env(), DATABASE_URL: url } });
      await gate.arrived();
      await renew(TOKENS[1]);
      // After 10 s a second session asks how far the statement is; it needs the second token.
      await run.waitForLog('statement.running');
      await renew(TOKENS[2]);
      await gate.open();
      const result = await run.exited;
      expectExit(result, 0);
      expect(result.logs.filter(({ event }) => event === 'hook.log').map((line) => line['text'])).to.deep.equal([
        'hook as by_token',
      ]);
      expect(result.logs.filter(({ level }) => level === 'error' || level === 'warn')).to.deep.equal([]);
      expect(await readFile(server.logFile, 'utf8')).to.not.match(/authentication failed/);
      for (const token of TOKENS) expect(result.stdout + result.stderr).to.not.include(token);
    });
  }
});
