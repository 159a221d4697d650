/** Kubernetes Events as a real API server accepts them, and as people find them with kubectl. */
import { expect } from 'chai';

import { MAX_NOTE_BYTES } from '../../src/output/events/notes.ts';
import { eventObject, type Place } from '../../src/adapters/kubernetes/event-object.ts';
import { REASONS, type Reason } from '../../src/adapters/kubernetes/reasons.ts';
import { cutBytes } from '../../src/core/text/one-line.ts';
import { eventually } from '../support/bounded.ts';
import { expectExit, runCli, startCli, type CliResult } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { holdKey } from '../support/holder.ts';
import { inCluster, type ServiceAccount } from '../support/in-cluster.ts';
import { useWorkspace } from '../support/workspace.ts';
import {
  apiServer,
  createNamespace,
  createServiceAccount,
  ownApiServer,
  statusOf,
  type ApiServer,
  type Rule,
} from './support/api-server.ts';

const CREATE_EVENTS: Rule = { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create'] };
const FILES = {
  ...{
    '001_create_users.up.sql': 'CREATE TABLE users (id int PRIMARY KEY);',
    '001_create_users.down.sql': 'DROP TABLE users;',
  },
  ...{
    '002_add_orders.up.sql': 'CREATE TABLE orders (id int PRIMARY KEY);',
    '002_add_orders.down.sql': 'DROP TABLE orders;',
  },
};

interface FoundEvent {
  readonly reason: string;
  readonly type: string;
  readonly message: string;
  readonly reportingComponent: string;
  readonly involvedObject: {
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    readonly fieldPath?: string;
  };
}

describe('Kubernetes Events in a cluster', () => {
  const workspace = useWorkspace();
  let api: ApiServer;
  let namespace = '';
  let account: ServiceAccount;
  let count = 0;

  before(async function () {
    api = await apiServer(this);
    namespace = await createNamespace(api);
    account = await createServiceAccount(api, namespace, 'migrate', [CREATE_EVENTS]);
  });
  beforeEach(() => workspace().write(FILES));

  /** A Job or a Pod of its own; no container runs in it. */
  async function object(kind: 'job' | 'pod'): Promise<{ name: string; uid: string }> {
    const name = `shop-${kind}-${(count += 1)}`;
    const container = { name: 'migrate', image: 'shop-migrations:1.4.0' };
    // No node has this label.
    const pod = {
      restartPolicy: 'Never',
      nodeSelector: { 'lockstep.test/no-such-node': '' },
      containers: [container],
      ...(kind === 'pod' && { initContainers: [{ ...container, name: 'init' }] }),
    };
    const body =
      kind === 'job'
        ? { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace }, spec: { template: { spec: pod } } }
        : { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec: pod };
    const made = JSON.parse(await api.kubectl(['create', '-f', '-', '-o', 'json'], JSON.stringify(body))) as {
      metadata: { uid: string };
    };
    return { name, uid: made.metadata.uid };
  }

  async function environment(
    who: ServiceAccount,
    more: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>> {
    const cluster = await inCluster(api, who);
    workspace().defer(() => cluster.remove());
    return { ...workspace().env, ...cluster.env, ...more };
  }

  function inJob({ name, uid }: { name: string; uid: string }): Record<string, string> {
    return {
      LOCKSTEP_JOB: name,
      LOCKSTEP_JOB_UID: uid,
      LOCKSTEP_POD: `${name}-x7k2p`,
      LOCKSTEP_POD_UID: 'ea1c9f3e-0000-4000-8000-000000000001',
      LOCKSTEP_CONTAINER: 'migrate',
    };
  }

  /** Sorted by time, oldest first; may include Events of the Job controller. */
  async function eventsOf(name: string): Promise<FoundEvent[]> {
    const list = JSON.parse(
      await api.kubectl([
        'get',
        'events',
        '-n',
        namespace,
        '--field-selector',
        `involvedObject.name=${name}`,
        '--sort-by=.eventTime',
        '-o',
        'json',
      ]),
    ) as { items: FoundEvent[] };
    return list.items.filter(({ reportingComponent }) => reportingComponent === 'lockstep');
  }

  async function reasonsOf(name: string): Promise<string[]> {
    return (await eventsOf(name)).map(({ reason }) => reason);
  }

  function warnings({ logs }: CliResult): string[] {
    return logs.filter(({ event }) => event === 'warning').map((line) => String(line['text']));
  }

  it('in a Job: kubectl describe and kubectl events show every step, with permission only to create Events', async () => {
    const job = await object('job');
    const env = await environment(account, inJob(job));
    const first = await runCli(['up'], { env });
    expectExit(first, 0);
    expect(warnings(first)).to.deep.equal([]);
    expectExit(await runCli(['up'], { env }), 0);
    await workspace().write({ '003_bad.up.sql': 'ALTER TABLE users\n  ADD COLUMN total inte;' });
    expectExit(await runCli(['up'], { env }), 40);
    expectExit(await runCli(['down', '--steps', '1'], { env }), 0);
    expectExit(await runCli(['down', '--to', '009_none'], { env }), 24);
    expect(await reasonsOf(job.name)).to.deep.equal([
      ...['MigrationStarted', 'MigrationApplied', 'MigrationApplied', 'MigrationsCompleted', 'MigrationsUpToDate'],
      ...[
        'MigrationStarted',
        'MigrationFailed',
        'RollbackStarted',
        'MigrationRolledBack',
        'RollbackCompleted',
        'RollbackRefused',
      ],
    ]);
    for (const found of await eventsOf(job.name)) expect(found.involvedObject).to.include({ kind: 'Job', ...job });
    const described = await api.kubectl(['describe', 'job', job.name, '-n', namespace]);
    expect(described).to.match(
      /Warning +MigrationFailed +\S+ +lockstep +MIGRATION_FAILED \(exit 40\): 003_bad\.up\.sql failed \(line 2\): type "inte" does not exist \(SQLSTATE 42704\)/,
    );
    const listed = await api.kubectl(['events', '--for', `job/${job.name}`, '-n', namespace]);
    expect(listed).to.match(/Normal +MigrationsCompleted +Job\/\S+ +Applied 2 migrations in /);
    expect(`${described}${listed}`).to.not.include(account.token);
  });

  it('in an init container: on the pod, with the field path; none when there is nothing to do', async () => {
    const pod = await object('pod');
    const env = await environment(account, {
      LOCKSTEP_POD: pod.name,
      LOCKSTEP_POD_UID: pod.uid,
      LOCKSTEP_CONTAINER: 'init',
      LOCKSTEP_INIT_CONTAINER: 'true',
    });
    expectExit(await runCli(['up', '--events', 'off'], { env }), 0);
    expectExit(await runCli(['up'], { env }), 0);
    expect(await reasonsOf(pod.name)).to.deep.equal([]);
    await workspace().write({ '003_more.up.sql': 'SELECT 1;' });
    expectExit(await runCli(['up'], { env }), 0);
    const found = await eventsOf(pod.name);
    expect(found.map(({ reason }) => reason)).to.deep.equal([
      'MigrationStarted',
      'MigrationApplied',
      'MigrationsCompleted',
    ]);
    for (const { involvedObject } of found)
      expect(involvedObject).to.include({ kind: 'Pod', ...pod, fieldPath: 'spec.initContainers{init}' });
    expect(await api.kubectl(['describe', 'pod', pod.name, '-n', namespace])).to.match(
      /Normal +MigrationApplied +\S+ +lockstep +spec\.initContainers\{init\}: Applied 003_more in /,
    );
  });

  it('while another runner holds the lock', async () => {
    const job = await object('job');
    const holder = await holdKey(workspace().serverUrl, workspace().lockKey, 'somebody else');
    workspace().defer(() => holder.release());
    expectExit(await runCli(['up', '--lock-wait', '6s'], { env: await environment(account, inJob(job)) }), 31);
    const found = await eventsOf(job.name);
    expect(found.map(({ reason, type }) => [reason, type])).to.deep.equal([
      ['WaitingForLock', 'Normal'],
      ['LockTimeout', 'Warning'],
    ]);
    for (const { message } of found) expect(message).to.include(`"somebody else" (pid ${holder.pid})`);
  });

  it('every reason, with any text and any name, passes strict validation', async () => {
    const strict = `/apis/events.k8s.io/v1/namespaces/${namespace}/events?fieldValidation=Strict`;
    const note = cutBytes(`"\\${'é💥'.repeat(400)}`, MAX_NOTE_BYTES);
    const long = 'a'.repeat(253);
    const places: Place[] = [
      { namespace, pod: 'web-1', initContainer: true },
      { namespace, pod: long, podUid: 'u', container: 'c'.repeat(63), initContainer: true },
      {
        namespace,
        pod: long,
        podUid: 'u',
        container: 'c',
        initContainer: false,
        job: `${'b'.repeat(62)}-.${long}`.slice(0, 253),
        jobUid: 'u',
      },
    ];
    let number = 0;
    const body = (reason: Reason, place: Place, text: string): string => {
      const event = eventObject({ reason, note: text }, 'up', place, { now: Date.now(), random: (number += 1) / 1000 });
      return JSON.stringify({
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        ...event,
        eventTime: event.eventTime.toISOString().replace('Z', '000Z'),
      });
    };
    for (const place of places)
      await api.kubectl(['create', '--raw', strict, '-f', '-'], body('MigrationFailed', place, note));
    for (const reason of Object.keys(REASONS) as Reason[])
      await api.kubectl(['create', '--raw', strict, '-f', '-'], body(reason, places[0]!, reason));
    // The server does validate: one byte or one field more is rejected.
    const refusals = [
      body('MigrationFailed', places[0]!, 'x'.repeat(MAX_NOTE_BYTES + 1)),
      body('MigrationFailed', places[0]!, 'x').replace('{', '{"nonsense":1,'),
    ];
    for (const text of refusals) {
      const refusal = await api.kubectl(['create', '--raw', strict, '-f', '-'], text).then(() => 'taken', String);
      expect(refusal).to.match(/can have at most 1024|unknown field "nonsense"/);
    }
  }).timeout(120_000);

  it('without permission: one line in the log, and the exit code of the run', async () => {
    const job = await object('job');
    const stranger = await createServiceAccount(api, namespace, `stranger-${count}`, []);
    await workspace().write({ '003_bad.up.sql': 'SELECT nope;' });
    const result = await runCli(['up'], { env: await environment(stranger, inJob(job)) });
    expectExit(result, 40);
    expect(warnings(result))
      .to.have.length(1)
      .and.to.have.nested.property('[0]')
      .that.matches(/the API server answered 403: events\.events\.k8s\.io is forbidden/);
    expect(await reasonsOf(job.name)).to.deep.equal([]);
  });

  it('an invalid token: one line in the log', async () => {
    const result = await runCli(['up'], {
      env: await environment({ namespace, token: 'nonsense' }, inJob(await object('job'))),
    });
    expectExit(result, 0);
    expect(warnings(result)).to.deep.equal(['this run sends no more Kubernetes Events: the API server answered 401']);
  });

  it('a replaced token, when the old one is no longer valid', async () => {
    const job = await object('job');
    const bound = await boundToken('old');
    const cluster = await inCluster(api, { namespace, token: bound });
    workspace().defer(() => cluster.remove());
    const gate = await closeGate(workspace());
    await workspace().write({ '002_add_orders.up.sql': gate.sql });
    const run = startCli(['up'], { env: { ...workspace().env, ...cluster.env, ...inJob(job) }, timeoutMs: 110_000 });
    await gate.arrived();
    await eventually('the first Events', async () => (await reasonsOf(job.name)).length === 2);
    // Renew the token first: a long statement sends Events meanwhile.
    await cluster.replaceToken(account.token);
    await api.kubectl(['delete', 'secret', 'old', '-n', namespace]);
    await eventually('the old token to be refused', async () => (await statusOf(api, '/api', bound)) === 401, 60_000);
    await gate.open();
    const result = await run.exited;
    expectExit(result, 0);
    expect(warnings(result)).to.deep.equal([]);
    expect((await reasonsOf(job.name)).at(-1)).to.equal('MigrationsCompleted');
  }).timeout(120_000);

  it('an API server that stops responding and recovers: the run continues throughout', async function () {
    const { freeze } = await ownApiServer(this);
    const job = await object('job');
    const gate = await closeGate(workspace());
    await workspace().write({ '002_add_orders.up.sql': gate.sql, '002_add_orders.down.sql': 'SELECT 1;' });
    const run = startCli(['up'], { env: await environment(account, inJob(job)) });
    await gate.arrived();
    await eventually('the first Events', async () => (await reasonsOf(job.name)).length === 2);
    const thaw = freeze();
    try {
      await gate.open();
      expectExit(await run.exited, 0);
      expect(await workspace().versions()).to.deep.equal(['001_create_users', '002_add_orders']);
      expectExit(await runCli(['down', '--steps', '1'], { env: await environment(account, inJob(job)) }), 0);
    } finally {
      thaw();
    }
    expectExit(await runCli(['up'], { env: await environment(account, inJob(job)) }), 0);
    expect((await reasonsOf(job.name)).at(-1)).to.equal('MigrationsCompleted');
  }).timeout(120_000);

  /** A token that becomes invalid when the Secret of this name is deleted. */
  async function boundToken(name: string): Promise<string> {
    await api.kubectl(['create', 'secret', 'generic', name, '-n', namespace]);
    return (
      await api.kubectl([
        'create',
        'token',
        'migrate',
        '-n',
        namespace,
        '--bound-object-kind',
        'Secret',
        '--bound-object-name',
        name,
      ])
    ).trim();
  }
});
