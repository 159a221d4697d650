/** How each exit code is provoked for real. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ERRORS } from '../../../src/core/errors.ts';
import { createRole } from '../../support/roles.ts';
import { distFolder, expectExit, type CliProcess, type CliResult } from '../../support/cli.ts';
import { closeGate } from '../../support/gate.ts';
import { holdKey } from '../../support/holder.ts';
import { file, FIVE_FILES } from '../../support/migrations.ts';
import { closedPort } from '../../support/opening.ts';
import { WireProxy } from '../../support/wire-proxy.ts';
import { type Workspace } from '../../support/workspace.ts';

import { CANARY, withPassword } from './canary.ts';

export type Environment = Readonly<Record<string, string>>;

export interface Provoking {
  readonly workspace: Workspace;
  /** Runs to the end, in the format of the row. */
  readonly run: (args: readonly string[], env?: Environment, dist?: string) => Promise<CliResult>;
  readonly start: (args: readonly string[], env?: Environment, dist?: string) => CliProcess;
}

export interface Row {
  readonly exit: number;
  readonly code?: keyof typeof ERRORS;
  readonly what: string;
  /** The document lists what was found, and has no error beside it. */
  readonly findings?: true;
  readonly provoke: (by: Provoking) => Promise<CliResult>;
}

export const ROWS: readonly Row[] = [
  {
    exit: 0,
    what: 'everything is applied, now and the second time',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      expectExit(await run(['up']), 0);
      return await run(['up']);
    },
  },
  {
    exit: 1,
    code: 'INTERNAL',
    what: 'a damaged installation: the SQL parser is gone',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      const dist = await mkdtemp(join(tmpdir(), 'lockstep-damaged-'));
      workspace.defer(() => rm(dist, { recursive: true, force: true }));
      await cp(distFolder(), dist, { recursive: true });
      await rm(join(dist, 'libpg-query.wasm'));
      return await run(['up'], {}, dist);
    },
  },
  {
    exit: 20,
    code: 'CONFIG_INVALID',
    what: 'wrong settings',
    provoke: ({ run }) => run(['up', '--lock-wait', 'soon', '--table', 'a.b.c']),
  },
  {
    exit: 21,
    code: 'MIGRATIONS_INVALID',
    what: 'files that are no migrations',
    async provoke({ workspace, run }) {
      await workspace.write({ 'nonsense.sql': 'SELECT 1;', '001_a.down.sql': 'SELECT 1;' });
      return await run(['up']);
    },
  },
  {
    exit: 22,
    code: 'HISTORY_CONFLICT',
    what: 'an applied file that was changed, while something is pending',
    async provoke({ workspace, run }) {
      await workspace.write(file(1, 'a', 'SELECT 1;'));
      expectExit(await run(['up']), 0);
      await workspace.write({
        ...file(1, 'a', `CREATE ROLE nobody PASSWORD '${CANARY}';`),
        ...file(2, 'b', 'SELECT 2;'),
      });
      return await run(['up']);
    },
  },
  {
    exit: 23,
    code: 'ACCESS_REFUSED',
    what: 'a role that may create nothing',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      const { url } = await createRole(workspace, { grant: 'USAGE' });
      return await run(['up'], { DATABASE_URL: url });
    },
  },
  {
    exit: 24,
    code: 'ROLLBACK_REFUSED',
    what: 'a rollback without a target',
    provoke: ({ run }) => run(['down']),
  },
  {
    exit: 25,
    code: 'NOT_PROVEN',
    findings: true,
    what: 'a down file that leaves something behind',
    async provoke({ workspace, run }) {
      await workspace.write({
        '001_a.up.sql': 'CREATE TABLE a (); CREATE TABLE b ();',
        '001_a.down.sql': 'DROP TABLE a;',
      });
      return await run(['prove', '--scratch-url', withPassword(workspace.serverUrl)]);
    },
  },
  {
    exit: 42,
    code: 'DRIFTED',
    findings: true,
    what: 'a schema that the kept catalog has and the database has not',
    async provoke({ workspace, run }) {
      await workspace.write({ 'schema.txt': 'server 18\n\nschema nowhere\n', '001_a.up.sql': 'CREATE TABLE a ();' });
      return await run(['drift']);
    },
  },
  {
    exit: 30,
    code: 'DATABASE_UNAVAILABLE',
    what: 'nobody listens there',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      return await run(['up', '--connect-wait', '300ms'], {
        DATABASE_URL: `postgres://app:${CANARY}@127.0.0.1:${await closedPort()}/shop`,
      });
    },
  },
  {
    exit: 31,
    code: 'LOCK_TIMEOUT',
    what: 'somebody else keeps the lock',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      const holder = await holdKey(workspace.serverUrl, workspace.lockKey);
      workspace.defer(() => holder.release());
      return await run(['up', '--lock-wait', '300ms']);
    },
  },
  {
    exit: 32,
    code: 'CONTENTION',
    what: 'a statement that takes longer than it may',
    async provoke({ workspace, run }) {
      await workspace.write(file(1, 'slow', `ALTER ROLE CURRENT_USER PASSWORD '${CANARY}'; SELECT pg_sleep(60);`));
      return await run(['up', '--statement-timeout', '100ms']);
    },
  },
  {
    exit: 33,
    code: 'PENDING',
    what: 'nobody has applied what is awaited',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      return await run(['wait', '--timeout', '300ms']);
    },
  },
  {
    exit: 34,
    code: 'OUTCOME_UNKNOWN',
    what: 'the connection is cut after a migration was sent',
    async provoke({ workspace, run }) {
      await workspace.write(file(1, 'sent', 'CREATE TABLE sent ();'));
      const proxy = await WireProxy.start(workspace.url);
      workspace.defer(() => proxy.stop());
      proxy.rule = ({ text }) => (text.includes('CREATE TABLE sent') ? 'cut-after' : 'pass');
      return await run(['up'], { DATABASE_URL: withPassword(proxy.url) });
    },
  },
  {
    exit: 35,
    code: 'HOOK_FAILED',
    what: 'a hook that throws',
    async provoke({ workspace, run }) {
      await workspace.write({
        ...file(1, 'hooked', 'SELECT 1;'),
        '001_hooked.before.mjs': 'export default () => { throw new Error("the queue is not empty"); };',
      });
      return await run(['up']);
    },
  },
  {
    exit: 40,
    code: 'MIGRATION_FAILED',
    what: 'SQL that fails, with a password in the same line',
    async provoke({ workspace, run }) {
      await workspace.write(
        file(
          1,
          'bad',
          `CREATE ROLE nobody_${workspace.schema} PASSWORD '${CANARY}'; SELECT 1/0; ALTER ROLE nobody PASSWORD $$${CANARY}$$;`,
        ),
      );
      return await run(['up']);
    },
  },
  {
    exit: 41,
    code: 'MIGRATION_INCOMPLETE',
    what: 'the run before was killed in a block that commits',
    async provoke({ workspace, run, start }) {
      const gate = await closeGate(workspace);
      const block = `DO $$ BEGIN CREATE TABLE half (); COMMIT; PERFORM set_config('x.y', 'PASSWORD ''${CANARY}''', true); ${gate.sql.replace('SELECT', 'PERFORM')} END $$;`;
      await workspace.write(file(1, 'half', `-- lockstep: no-transaction\n${block}`));
      const killed = start(['up']);
      await gate.arrived();
      killed.kill('SIGKILL');
      await killed.exited;
      await gate.open();
      return await run(['up']);
    },
  },
  ...(['SIGINT', 'SIGTERM'] as const).map(
    (signal): Row => ({
      exit: signal === 'SIGINT' ? 130 : 143,
      code: 'INTERRUPTED',
      what: signal,
      async provoke({ workspace, start }) {
        const gate = await closeGate(workspace);
        await workspace.write(file(1, 'gate', `CREATE TABLE half ();\n${gate.sql}`));
        const run = start(['up']);
        await gate.arrived();
        run.kill(signal);
        return await run.exited;
      },
    }),
  ),
];
