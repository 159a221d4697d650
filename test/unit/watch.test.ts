/** What metrics, traces and notices say of a run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { Gauge, Registry } from 'prom-client';

import { tracesConfig } from '../../src/config/otel.ts';
import { MigratorError } from '../../src/core/errors.ts';
import { RunRecorder, type RunRecord } from '../../src/core/run-record.ts';
import { VERSION } from '../../src/core/version.ts';
import type { Ending } from '../../src/output/termination-message.ts';
import { metricsText, pushPath } from '../../src/output/watch/metrics.ts';
import { tracesDocument } from '../../src/output/watch/traces.ts';

const ERROR = new MigratorError('MIGRATION_FAILED', '002_b.up.sql failed', {
  server: { sqlstate: '22012', message: 'division by zero', detail: 'hunter2' },
  location: { file: '002_b.up.sql', line: 3, column: 8, text: "SELECT 1/0 -- 'hunter2'" },
});

/** A run that waited for 2 s, applied 001_a in 3 s, and failed at 002_b after 1 s. */
function failedRun(): RunRecord {
  const recorder = new RunRecorder(1_000_000);
  recorder.see({ type: 'session.opened', address: 'db:5432', database: 'shop', pid: 1 }, 1_000_100);
  recorder.see({ type: 'lock.waiting', key: '1', waitedMs: 0, holder: undefined }, 1_000_200);
  recorder.see({ type: 'lock.waiting', key: '1', waitedMs: 1_000, holder: undefined }, 1_001_200);
  recorder.see({ type: 'lock.acquired', key: '1', waitedMs: 2_000 }, 1_002_200);
  recorder.see({ type: 'migration.started', version: '001_a', direction: 'up' }, 1_002_300);
  recorder.see({ type: 'migration.applied', version: '001_a', durationMs: 3_000 }, 1_005_300);
  recorder.see({ type: 'hook.started', version: '002_b' }, 1_005_300);
  recorder.see({ type: 'migration.started', version: '002_b', direction: 'up' }, 1_005_400);
  recorder.see({ type: 'migration.failed', version: '002_b', direction: 'up', error: ERROR }, 1_006_400);
  return recorder.recorded(1_006_500);
}

const ENDING: Ending = {
  command: 'up',
  outcome: { done: [{ version: '001_a', direction: 'up', durationMs: 3_000 }], pending: ['002_b'], dryRun: false },
  error: ERROR,
  durationMs: 6_500,
};

describe('the metrics', () => {
  interface Expected {
    readonly name: string;
    readonly help: string;
    readonly values: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
  }

  /** As Prometheus' own library writes them. */
  async function written(metrics: readonly Expected[]): Promise<string> {
    const registry = new Registry();
    for (const { name, help, values } of metrics) {
      const gauge = new Gauge({ name, help, registers: [registry], labelNames: Object.keys(values[0]?.[0] ?? {}) });
      for (const [labels, value] of values) gauge.set(labels, value);
    }
    return await registry.metrics();
  }

  it('of many schemas count what was applied in each, and have the longest time of a migration', () => {
    const recorder = new RunRecorder(0);
    for (const [schema, durationMs] of [
      ['a', 20],
      ['b', 50],
      ['c', 30],
    ] as const)
      recorder.see(
        { type: 'tenant.event', schema, event: { type: 'migration.applied', version: '1_a', durationMs } },
        9,
      );
    expect(metricsText({ command: 'up', durationMs: 9 }, recorder.recorded(9)))
      .to.include('lockstep_last_run_applied_migrations 3\n')
      .and.include('lockstep_last_run_migration_duration_seconds{version="1_a",direction="up"} 0.05\n');
  });

  const odd = 'a"b\\c\nd';

  it('are the text that prom-client writes', async () => {
    const success: Ending = {
      ...ENDING,
      error: undefined,
      outcome: {
        done: [
          { version: odd, direction: 'up', durationMs: 3_000 },
          { version: '002_b', direction: 'up', durationMs: 15 },
        ],
        pending: [],
        dryRun: false,
      },
    };
    const last = (name: string, help: string, value: number): Expected => ({
      name: `lockstep_last_run_${name}`,
      help,
      values: [[{}, value]],
    });
    const expected = await written([
      last('timestamp_seconds', 'When the last run ended, in seconds since the epoch.', 1_006.5),
      last('duration_seconds', 'How long the last run took.', 6.5),
      last('lock_wait_seconds', 'How long the last run waited for the lock.', 2),
      last('exit_code', 'The exit code of the last run.', 0),
      last('applied_migrations', 'How many migrations the last run applied.', 2),
      {
        name: 'lockstep_last_run_migration_duration_seconds',
        help: 'How long each migration of the last run took.',
        values: [
          [{ version: odd, direction: 'up' }, 3],
          [{ version: '002_b', direction: 'up' }, 0.015],
        ],
      },
      {
        name: 'lockstep_last_success_timestamp_seconds',
        help: 'When the last run that succeeded ended, in seconds since the epoch.',
        values: [[{}, 1_006.5]],
      },
      {
        name: 'lockstep_pending_migrations',
        help: 'How many migrations of the files are not applied.',
        values: [[{}, 0]],
      },
      {
        name: 'lockstep_build_info',
        help: 'The version of Lockstep that ran last.',
        values: [[{ version: VERSION }, 1]],
      },
    ]);
    expect(metricsText(success, failedRun())).to.equal(expected);
  });

  it('of a failure have no success, and pending only where it is known', () => {
    expect(metricsText(ENDING, failedRun()))
      .to.match(/^lockstep_last_run_exit_code 40$/m)
      .and.match(/^lockstep_pending_migrations 1$/m)
      .and.not.include('last_success');
    const early = { command: 'up', error: new MigratorError('CONFIG_INVALID', 'no'), durationMs: 0 } as const;
    expect(metricsText(early, new RunRecorder(0).recorded(1))).to.not.match(/pending|migration_duration|last_success/);
  });

  it('are grouped by what does not change with each pod', () => {
    expect(pushPath({})).to.equal('/metrics/job/lockstep');
    expect(pushPath({ namespace: 'web', release: 'shop', target: '' })).to.equal(
      '/metrics/job/lockstep/namespace/web/release/shop',
    );
    expect(pushPath({ release: 'a/b c', target: 'eu 1' })).to.equal(
      '/metrics/job/lockstep/release@base64/YS9iIGM/target/eu%201',
    );
  });
});

describe('the trace', () => {
  it('is the document that a collector has decoded', async () => {
    let ids = 0;
    const document = tracesDocument(ENDING, failedRun(), {
      resource: { 'service.name': 'lockstep', 'k8s.pod.name': undefined },
      context: {
        traceId: '0af7651916cd43dd8448eb211c80319c',
        parentSpanId: 'b7ad6b7169203331',
        traceState: 'vendor=1',
        newSpanId: () => String((ids += 1)).padStart(16, '0'),
      },
    });
    const file = join(import.meta.dirname, '..', 'fixtures', 'otlp', 'failed-run.json');
    const recorded = JSON.parse((await readFile(file, 'utf8')).replace('VERSION', VERSION)) as object;
    expect(document).to.deep.equal(recorded);
    expect(JSON.stringify(document)).to.not.match(/hunter2|SELECT/);
  });

  it('of a wait that did not end with the lock has the wait', () => {
    const recorder = new RunRecorder(0);
    recorder.see({ type: 'lock.waiting', key: '1', waitedMs: 500, holder: undefined }, 1_500);
    expect(recorder.recorded(9_000)).to.deep.include({ lockWait: { startedAt: 1_000, endedAt: 9_000 }, steps: [] });
  });
});

describe('tracesConfig', () => {
  const at = (env: Readonly<Record<string, string>>) => {
    const config = tracesConfig(env);
    if (config && 'problem' in config) throw new Error(config.problem);
    return config;
  };
  const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel:4318' };
  const CALLER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  const ADDRESSES: readonly [env: Readonly<Record<string, string>>, url: string][] = [
    [ENDPOINT, 'http://otel:4318/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel/base/' }, 'https://otel/base/v1/traces'],
    [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:1/x' }, 'http://traces:1/x'],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'http://localhost:4318/v1/traces'],
    [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, 'http://otel:4318/v1/traces'],
  ];
  for (const [env, url] of ADDRESSES)
    it(`sends to ${url} with ${JSON.stringify(env)}`, () => expect(at(env)?.url.href).to.equal(url));

  const OFF: readonly Readonly<Record<string, string>>[] = [
    { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' },
    { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' },
    { OTEL_TRACES_EXPORTER: 'console' },
    { ...ENDPOINT, TRACEPARENT: CALLER.replace(/01$/, '00') },
  ];
  for (const env of OFF)
    it(`sends nothing with ${JSON.stringify(env)}`, () => expect(tracesConfig(env)).to.equal(undefined));

  for (const env of [
    { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel:4317' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'otel:4318' },
  ])
    it(`has a problem with ${JSON.stringify(env)}`, () => expect(tracesConfig(env)).to.have.property('problem'));

  it('reads headers, attributes, time and certificate; what is for traces comes first', () => {
    const config = at({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: 'a=1',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'Authorization=Basic%20x=, b = 2 ,broken,%zz=1',
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.crt',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,deployment.environment.name=prod',
    });
    expect(config).to.deep.include({
      headers: { Authorization: 'Basic x=', b: '2' },
      timeoutMs: 500,
      certificate: '/ca.crt',
      resource: { 'service.name': 'other', 'deployment.environment.name': 'prod' },
    });
    expect(at({ ...ENDPOINT, OTEL_SERVICE_NAME: 'mine', OTEL_EXPORTER_OTLP_TIMEOUT: 'soon' })).to.deep.include({
      resource: { 'service.name': 'mine' },
      timeoutMs: 10_000,
    });
  });

  it('continues the trace of the caller, if it names one', () => {
    const caller = { ...ENDPOINT, TRACEPARENT: CALLER, TRACESTATE: 'vendor=1' };
    expect(at(caller)).to.deep.include({
      parent: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', sampled: true },
      traceState: 'vendor=1',
    });
    for (const text of [
      '',
      'x',
      CALLER.replace(/^00/, 'ff'),
      `${CALLER}-more`,
      CALLER.replace(/b7ad6b7169203331/, '0'.repeat(16)),
    ])
      expect(at({ ...caller, TRACEPARENT: text }), text).to.deep.include({ parent: undefined, traceState: undefined });
  });
});
