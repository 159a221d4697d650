/** Kubernetes Events of a run; a misbehaving API server never affects the run. */
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { startApiDouble, type Answer, type ApiDouble } from '../support/api-double.ts';
import { eventually } from '../support/bounded.ts';
import { distFolder, expectExit, runCli, startCli, type CliResult } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { inCluster, type InCluster } from '../support/in-cluster.ts';
import { useWorkspace } from '../support/workspace.ts';

const CREATED: Answer = { status: 201 };
const FILES = {
  '001_a.up.sql': 'CREATE TABLE a ();',
  '001_a.down.sql': 'DROP TABLE a;',
  '002_b.up.sql': 'CREATE TABLE b ();',
  '002_b.down.sql': 'DROP TABLE b;',
};
const REASONS = ['MigrationStarted', 'MigrationApplied', 'MigrationApplied', 'MigrationsCompleted'];
const POD = {
  LOCKSTEP_POD: 'web-1',
  LOCKSTEP_POD_UID: 'u-1',
  LOCKSTEP_CONTAINER: 'migrate',
  LOCKSTEP_INIT_CONTAINER: 'true',
};

interface Place {
  readonly api: ApiDouble;
  readonly cluster: InCluster;
  readonly env: Readonly<Record<string, string>>;
}

describe('Kubernetes Events', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FILES));

  async function place(answers: readonly Answer[]): Promise<Place> {
    const api = await startApiDouble(answers);
    workspace().defer(() => api.stop());
    const cluster = await inCluster(api, { namespace: 'shop', token: 'first-token' });
    workspace().defer(() => cluster.remove());
    return { api, cluster, env: { ...workspace().env, ...cluster.env, ...POD } };
  }

  function reasons({ received }: ApiDouble): string[] {
    return received.map(({ body }) => body.reason);
  }

  function warnings({ logs }: CliResult): string[] {
    return logs.filter(({ event }) => event === 'warning').map((line) => String(line['text']));
  }

  it('are posted in order, one at a time, with the token, and reference the init container', async () => {
    const { api, env } = await place([CREATED]);
    const result = await runCli(['up'], { env });
    expectExit(result, 0);
    expect(warnings(result)).to.deep.equal([]);
    expect(reasons(api)).to.deep.equal(REASONS);
    for (const { method, path, authorization, body } of api.received) {
      expect({ method, path, authorization }).to.deep.equal({
        method: 'POST',
        path: '/apis/events.k8s.io/v1/namespaces/shop/events',
        authorization: 'Bearer first-token',
      });
      expect(body).to.deep.include({
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        type: 'Normal',
        action: 'Migrate',
        reportingController: 'lockstep',
        reportingInstance: 'web-1',
      });
      expect(body['regarding']).to.deep.equal({
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: 'shop',
        name: 'web-1',
        uid: 'u-1',
        fieldPath: 'spec.initContainers{migrate}',
      });
      expect(body.eventTime).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    }
    expect(new Set(api.received.map(({ body }) => body.metadata.name)).size).to.equal(4);
  });

  it('report what failed and why, without row values or SQL', async () => {
    const { api, env } = await place([CREATED]);
    await workspace().write({
      '003_c.up.sql': 'CREATE TABLE c (id int PRIMARY KEY);\nINSERT INTO c VALUES (4711), (4711); -- hunter2',
    });
    expectExit(await runCli(['up'], { env: { ...env, LOCKSTEP_JOB: 'shop-migrate', LOCKSTEP_JOB_UID: 'u-2' } }), 40);
    const { body } = api.received.at(-1)!;
    expect(body).to.deep.include({ reason: 'MigrationFailed', type: 'Warning' });
    expect(body.note)
      .to.match(
        /^MIGRATION_FAILED \(exit 40\): 003_c\.up\.sql failed \(line 2\): duplicate key value.*\(SQLSTATE 23505\)\. Next: /,
      )
      .and.not.match(/4711|hunter2/);
    expect(body['regarding']).to.deep.equal({
      apiVersion: 'batch/v1',
      kind: 'Job',
      namespace: 'shop',
      name: 'shop-migrate',
      uid: 'u-2',
    });
  });

  it('report where a paused migration failed, in the pod that did not run it', async () => {
    const { api, env } = await place([CREATED]);
    await workspace().write({ '003_c.up.sql': 'CREATE TABLE c (id int PRIMARY KEY);\nINSERT INTO c VALUES (1), (1);' });
    const released = { ...env, LOCKSTEP_RELEASE: 'shop@1' };
    expectExit(await runCli(['up'], { env: released }), 40);
    expectExit(await runCli(['up'], { env: { ...released, LOCKSTEP_POD: 'web-2' } }), 40);
    const { body } = api.received.at(-1)!;
    expect(body).to.deep.include({ reason: 'MigrationFailed', reportingInstance: 'web-2' });
    expect(body.note).to.match(
      /^MIGRATION_FAILED \(exit 40\): 003_c failed once .* \(003_c\.up\.sql:2\): last error: .*duplicate key value.*\(23505\)\. Next: /,
    );
  });

  it('report invalid settings, including a rollback without a target', async () => {
    const { api, env } = await place([CREATED]);
    expectExit(await runCli(['up', '--lock-wait', 'long'], { env }), 20);
    expectExit(await runCli(['up', '--lock-wiat', '5m'], { env }), 20);
    expectExit(await runCli(['down'], { env }), 24);
    expect(reasons(api)).to.deep.equal(['MigrationFailed', 'MigrationFailed', 'RollbackRefused']);
    expect(api.received[0]?.body.note).to.include('--lock-wait: "long" is not a duration');
    expect(api.received[2]?.body['action']).to.equal('Rollback');
  });

  it('use a replaced token from the next Event on', async () => {
    const { api, cluster, env } = await place([CREATED]);
    const gate = await closeGate(workspace());
    await workspace().write({ '002_b.up.sql': gate.sql });
    const run = startCli(['up'], { env });
    await gate.arrived();
    // Events are sent concurrently with the migrations: the first one may still be in flight.
    await eventually('the first Event', async () => Promise.resolve(api.received.length > 0));
    await cluster.replaceToken('second-token\n');
    await gate.open();
    expectExit(await run.exited, 0);
    const tokens = api.received.map(({ authorization }) => authorization);
    expect(tokens[0]).to.equal('Bearer first-token');
    expect(tokens.at(-1)).to.equal('Bearer second-token');
  });

  it('are retried once after status 429, before the next Event', async () => {
    const { api, env } = await place([{ status: 429, headers: { 'retry-after': '1' } }, CREATED]);
    const result = await runCli(['up'], { env });
    expectExit(result, 0);
    expect(warnings(result)).to.deep.equal([]);
    expect(reasons(api)).to.deep.equal(['MigrationStarted', ...REASONS]);
  });

  it('are retried once under another name after status 409', async () => {
    const { api, env } = await place([{ status: 409 }, CREATED]);
    expectExit(await runCli(['up'], { env }), 0);
    const names = api.received.slice(0, 2).map(({ body }) => body.metadata.name);
    expect(reasons(api)).to.deep.equal(['MigrationStarted', ...REASONS]);
    expect(names[0]).to.not.equal(names[1]);
  });

  for (const status of [401, 403]) {
    it(`are not retried after status ${status}: one log line, and the exit code stays that of the run`, async () => {
      const { api, env } = await place([{ status }]);
      await workspace().write({ '003_c.up.sql': 'SELECT nope;' });
      const result = await runCli(['up'], { env });
      expectExit(result, 40);
      expect(reasons(api)).to.deep.equal(['MigrationStarted']);
      expect(warnings(result))
        .to.have.length(1)
        .and.to.have.nested.property('[0]')
        .that.matches(
          status === 403 ? /: the API server answered 403: the double says 403$/ : /: the API server answered 401$/,
        );
      expect(await workspace().versions()).to.deep.equal(['001_a', '002_b']);
    });
  }

  const LOST: Readonly<
    Record<string, (place: Place) => Promise<Readonly<Record<string, string>>> | Readonly<Record<string, string>>>
  > = {
    'a server that never answers': ({ env }) => env,
    'a server that refuses connections': async ({ api, env }) => {
      await api.stop();
      return env;
    },
    'a server with a certificate of an unknown authority': async ({ env }) => {
      const stranger = await startApiDouble([CREATED]);
      workspace().defer(() => stranger.stop());
      return { ...env, KUBERNETES_SERVICE_PORT: new URL(stranger.url).port };
    },
    'a server whose name cannot be resolved': ({ env }) => ({ ...env, KUBERNETES_SERVICE_HOST: 'nowhere.invalid' }),
  };
  for (const [name, lose] of Object.entries(LOST)) {
    it(`do not affect the run with ${name}: it completes, exits by itself, and logs the problem once`, async () => {
      const env = await lose(await place([undefined]));
      const result = await runCli(['up'], { env });
      expectExit(result, 0);
      expect(await workspace().versions()).to.deep.equal(['001_a', '002_b']);
      expect(warnings(result).filter((text) => !/^could not send a Kubernetes Event: /.test(text))).to.deep.equal([]);
      expect(warnings(result).length).to.be.at.most(1);
    });
  }

  it('do not delay an orderly end after a signal, even when the server never answers', async () => {
    const { env } = await place([undefined]);
    const gate = await closeGate(workspace());
    await workspace().write({ '002_b.up.sql': gate.sql });
    const run = startCli(['up'], { env });
    await gate.arrived();
    run.kill('SIGTERM');
    expectExit(await run.exited, 143);
    expect(await workspace().versions()).to.deep.equal(['001_a']);
  });

  describe('without an API server or a service account', () => {
    const nowhere = { LOCKSTEP_SERVICE_ACCOUNT_DIR: '/nowhere' };
    const cluster = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' };
    const table: [name: string, env: Readonly<Record<string, string>>, warned: boolean][] = [
      ['outside a cluster', {}, false],
      ['without a service account', { ...cluster, ...nowhere }, false],
      ['outside a cluster with --events=on', { LOCKSTEP_EVENTS: 'on' }, true],
      ['without a service account with --events=on', { ...cluster, ...nowhere, LOCKSTEP_EVENTS: 'on' }, true],
    ];
    for (const [name, env, warned] of table) {
      it(`${warned ? 'log a warning' : 'log nothing'} ${name}, and the run continues`, async () => {
        const result = await runCli(['up'], { env: { ...workspace().env, ...env } });
        expectExit(result, 0);
        expect(warnings(result)).to.have.length(warned ? 1 : 0);
      });
    }

    it('are not sent with --events=off', async () => {
      const { api, env } = await place([CREATED]);
      expectExit(await runCli(['up', '--events', 'off'], { env }), 0);
      expect(api.received).to.deep.equal([]);
    });
  });

  describe('without the Kubernetes client', () => {
    let dist = '';
    let removed: string[] = [];

    before(async () => {
      dist = await mkdtemp(join(tmpdir(), 'lockstep-dist-'));
      await cp(distFolder(), dist, { recursive: true });
      removed = (await readdir(dist)).filter((name) => /^(event-reporter|kubernetes-client)-/.test(name));
      for (const name of removed) await rm(join(dist, name));
    });
    after(() => rm(dist, { recursive: true, force: true }));

    it('an init container with nothing pending works: it never loads the client', async () => {
      expect(removed).to.have.length(2);
      const { api, env } = await place([CREATED]);
      expectExit(await runCli(['up', '--events', 'off'], { env }), 0);
      const result = await runCli(['up'], { env, dist });
      expectExit(result, 0);
      expect(warnings(result)).to.deep.equal([]);
      expect(api.received).to.deep.equal([]);
      // A run that has an Event to send misses the client, and still succeeds.
      await workspace().write({ '003_c.up.sql': 'SELECT 1;' });
      const missed = await runCli(['up'], { env, dist });
      expectExit(missed, 0);
      expect(warnings(missed))
        .to.have.length(1)
        .and.to.have.nested.property('[0]')
        .that.matches(/^no Kubernetes Events: /);
    });

    it('a client that cannot be loaded, as on an older Node, causes one log line', async () => {
      const client = removed.find((name) => name.startsWith('kubernetes-client-'))!;
      const broken = await mkdtemp(join(tmpdir(), 'lockstep-dist-'));
      workspace().defer(() => rm(broken, { recursive: true, force: true }));
      await cp(distFolder(), broken, { recursive: true });
      await writeFile(join(broken, client), "throw new TypeError('something that this Node does not have');");
      const { api, env } = await place([CREATED]);
      const result = await runCli(['up'], { env, dist: broken });
      expectExit(result, 0);
      expect(api.received).to.deep.equal([]);
      expect(warnings(result)).to.deep.equal([
        'this run sends no more Kubernetes Events: cannot load the Kubernetes client (it needs Node 22.19 or newer): something that this Node does not have',
      ]);
    });
  });
});
