/**
 * Addresses that cannot be parsed, and host names that cannot be resolved: the exit code, and no secret in the output.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, runCli, startCli } from '../support/cli.ts';
import { FIVE_FILES } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { runInProcess } from '../support/in-process.ts';

import { CANARY, expectNoSecret } from './support/canary.ts';

describe('an address that cannot be parsed', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lockstep-empty-'));
  });
  after(() => rm(dir, { recursive: true }));

  for (const address of [
    `postgres://app:${CANARY}@db:notaport/shop`,
    `postgres://app:${CANARY}@db:99999/shop`,
    `postgres://app:${CANARY}@[::1/shop`,
    `postgres://app:${CANARY}@@db/shop`,
    `postgres://app:x#${CANARY}@db.invalid/shop`,
    `postgres://app:x/${CANARY}@db.invalid/shop`,
    `postgres://app:x?${CANARY}@db.invalid/shop`,
    `postgres://app:%${CANARY}@db/shop`,
    `postgres://app:${CANARY}@db/shop?sslmode=perhaps`,
    `postgres://db/shop?user=app&password=${CANARY}&port=x`,
    `postgres//app:${CANARY}@db/shop`,
    `app:${CANARY}@db/shop`,
    `mysql://app:${CANARY}@db/shop`,
    `host=db user=app password=${CANARY} port=x`,
    `host=db user=app password='${CANARY} port=5432`,
    `host=db user=app password = ${CANARY} sslmode=perhaps`,
    CANARY,
    `postgres://app:${CANARY}\n@db/shop`,
    `"postgres://app:${CANARY}@db/shop"`,
  ]) {
    it(`is rejected and not printed: ${JSON.stringify(address.replaceAll(CANARY, '***'))}`, async () => {
      for (const args of [
        ['status'],
        ['status', '--log-format', 'text'],
        ['status', '--json'],
        ['status', '--database-url', address],
      ]) {
        const env = args.includes('--database-url') ? {} : { DATABASE_URL: address };
        const { code, stdout, stderr } = await runInProcess(
          [...args, '--allow-empty', '--dir', dir, '--connect-wait', '0'],
          { env },
        );
        expect(code, stderr).to.be.oneOf([20, 30]);
        expectNoSecret(stdout, stderr);
      }
    });
  }
});

describe('a host name that does not exist', () => {
  const workspace = useWorkspace();

  it('is looked up repeatedly and named when the run exits with 30 after --connect-wait', async () => {
    await workspace().write(FIVE_FILES);
    const DATABASE_URL = `postgres://app:${CANARY}@not-there.invalid/shop`;
    const env = { ...workspace().env, DATABASE_URL };
    const result = await runCli(['up', '--connect-wait', '1s'], { env });
    expectExit(result, 30);
    expect(result.stderr).to.include('not-there.invalid').and.include('--connect-wait=1s');
    expectNoSecret(result.stdout, result.stderr);
    // Some resolvers take seconds for their answer.
    const looking = startCli(['up'], { env });
    await looking.waitForLog(({ event, ...line }) => event === 'database.waiting' && line['attempt'] === 2);
    looking.kill('SIGTERM');
    expectExit(await looking.exited, 143);
  });
});
