/** Metrics, traces and notices of real runs; whoever receives them never affects a run. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { distFolder, expectExit, runCli, type CliResult } from '../support/cli.ts';
import { valid } from '../support/json-documents.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { startReceiver, startTlsReceiver, type Receiver } from '../support/receiver.ts';
import { useWorkspace } from '../support/workspace.ts';

const VERSIONS = versionsOf(FIVE_FILES);
/** Fails in its second line, with a row and a secret in it. */
const BAD = { '006_bad.up.sql': "SELECT 1;\nINSERT INTO accounts (name) VALUES ('hunter2'), (NULL);" };
const RELEASE = { LOCKSTEP_RELEASE: 'shop/3@1.4.0', LOCKSTEP_POD_NAMESPACE: 'web' };

describe('watching', () => {
  const workspace = useWorkspace();
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-watch-'));
    await workspace().write(FIVE_FILES);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function receiver(status?: number | 'silence'): Promise<Receiver> {
    const started = await startReceiver(status);
    workspace().defer(() => started.stop());
    return started;
  }

  async function notifyFile(url: string): Promise<string> {
    const file = join(folder, 'notify');
    await writeFile(file, `${url}\n`);
    return file;
  }

  const up = (env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<CliResult> =>
    runCli(['up', ...args], { env: { ...workspace().env, ...RELEASE, ...env } });

  function warnings({ logs }: CliResult): string[] {
    const texts = logs.filter(({ event }) => event === 'warning').map((line) => String(line['text']));
    return texts.filter((text) => /^(?:could not|no )/.test(text));
  }

  describe('the metrics', () => {
    it('are written to the file, and pushed as they are, by namespace and release', async () => {
      const { url, received } = await receiver();
      const file = join(folder, 'lockstep.prom');
      const result = await up({}, '--metrics-file', file, '--metrics-push', `${url}/`);
      expectExit(result, 0);
      expect(warnings(result)).to.deep.equal([]);
      const text = await readFile(file, 'utf8');
      expect(received.map(({ method, path, body }) => [method, path, body])).to.deep.equal([
        ['POST', '/metrics/job/lockstep/namespace/web/release/shop', text],
      ]);
      expect(text)
        .to.match(/^lockstep_last_run_exit_code 0$/m)
        .and.match(/^lockstep_last_run_applied_migrations 5$/m)
        .and.match(/^lockstep_pending_migrations 0$/m)
        .and.match(/^lockstep_last_success_timestamp_seconds \d+/m);
      for (const version of VERSIONS)
        expect(text).to.match(
          new RegExp(`^lockstep_last_run_migration_duration_seconds\\{version="${version}",direction="up"\\} \\d`, 'm'),
        );
      expect(await readdir(folder)).to.deep.equal(['lockstep.prom']);
    });

    it('of a failure have its exit code and no success', async () => {
      await workspace().write(BAD);
      const file = join(folder, 'lockstep.prom');
      await writeFile(file, 'old');
      expectExit(await up({}, '--metrics-file', file), 40);
      expect(await readFile(file, 'utf8'))
        .to.match(/^lockstep_last_run_exit_code 40$/m)
        .and.match(/^lockstep_pending_migrations 1$/m)
        .and.not.match(/last_success|old/);
    });

    it('are not pushed by a replica that only skipped, but by a Job; a dry run leaves them alone', async () => {
      const { url, received } = await receiver();
      const file = join(folder, 'lockstep.prom');
      const asked = ['--metrics-file', file, '--metrics-push', url];
      expectExit(await up({}), 0);
      expectExit(await up({}, '--dry-run', ...asked), 0);
      expect(await readdir(folder)).to.deep.equal([]);
      expectExit(await up({}, ...asked), 0);
      expect(await readFile(file, 'utf8')).to.match(/^lockstep_last_run_applied_migrations 0$/m);
      expect(received).to.deep.equal([]);
      expectExit(await up({ LOCKSTEP_JOB: 'shop-migrate' }, ...asked), 0);
      expect(received).to.have.length(1);
    });

    it('of invalid settings are told, too', async () => {
      const file = join(folder, 'lockstep.prom');
      expectExit(await up({ LOCKSTEP_LOCK_WAIT: 'long' }, '--metrics-file', file), 20);
      expect(await readFile(file, 'utf8'))
        .to.match(/^lockstep_last_run_exit_code 20$/m)
        .and.not.match(/pending/);
    });
  });

  describe('the trace', () => {
    interface SentSpan {
      readonly name: string;
      readonly traceId: string;
      readonly spanId: string;
      readonly parentSpanId?: string;
      readonly startTimeUnixNano: string;
      readonly endTimeUnixNano: string;
      readonly attributes: readonly { readonly key: string; readonly value: object }[];
      readonly status?: { readonly code: number; readonly message: string };
    }

    function spansIn({ received: [first] }: Receiver): readonly SentSpan[] {
      const { resourceSpans } = JSON.parse(first?.body ?? '') as {
        resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[];
      };
      return resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
    }

    it('has a span for the run, the wait for the lock and each migration, below the span of the caller', async () => {
      const collector = await receiver();
      const caller = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      const before = BigInt(Date.now()) * 1_000_000n;
      const result = await up({
        OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=a%20b',
        TRACEPARENT: caller,
      });
      expectExit(result, 0);
      expect(warnings(result)).to.deep.equal([]);
      expect(collector.received.map(({ path }) => path)).to.deep.equal(['/v1/traces']);
      expect(collector.received[0]?.headers).to.include({ 'content-type': 'application/json', 'x-tenant': 'a b' });
      const spans = spansIn(collector);
      const [run, ...others] = spans;
      expect(spans.map(({ name }) => name)).to.deep.equal([
        'lockstep up',
        'lock wait',
        ...VERSIONS.map((version) => `up ${version}`),
      ]);
      expect(run).to.include({ traceId: '0af7651916cd43dd8448eb211c80319c', parentSpanId: 'b7ad6b7169203331' });
      for (const span of others) {
        expect(span).to.include({ traceId: run!.traceId, parentSpanId: run!.spanId });
        expect(BigInt(span.startTimeUnixNano) >= BigInt(run!.startTimeUnixNano), span.name).to.equal(true);
        expect(BigInt(span.endTimeUnixNano) <= BigInt(run!.endTimeUnixNano), span.name).to.equal(true);
      }
      expect(BigInt(run!.startTimeUnixNano) >= before).to.equal(true);
    });

    it('of a failure says where, without SQL and rows', async () => {
      await workspace().write(BAD);
      const collector = await receiver();
      expectExit(await up({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/t` }), 40);
      expect(collector.received.map(({ path, body }) => [path, /hunter2|INSERT/.test(body)])).to.deep.equal([
        ['/t', false],
      ]);
      const failed = spansIn(collector).at(-1)!;
      expect(failed.name).to.equal('up 006_bad');
      expect(failed.status?.code).to.equal(2);
      expect(failed.attributes).to.deep.include.members([
        { key: 'error.type', value: { stringValue: 'MIGRATION_FAILED' } },
        { key: 'db.response.status_code', value: { stringValue: '23502' } },
        { key: 'db.system.name', value: { stringValue: 'postgresql' } },
      ]);
    });

    it('is not sent by a replica that only skipped, nor where the caller does not sample', async () => {
      const { url, received } = await receiver();
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url };
      expectExit(await up({ ...env, TRACEPARENT: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' }), 0);
      expectExit(await up(env), 0);
      expect(received).to.deep.equal([]);
    });

    it('is not sent by gRPC: one warning says so', async () => {
      const result = await up({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317' });
      expectExit(result, 0);
      expect(warnings(result)).to.deep.equal([
        'no traces: spans are sent by HTTP only: set OTEL_EXPORTER_OTLP_ENDPOINT to port 4318, without grpc',
      ]);
    });

    it('is sent by TLS with the certificate of the variable', async () => {
      const collector = await startTlsReceiver();
      workspace().defer(() => collector.stop());
      const certificate = join(folder, 'ca.crt');
      await writeFile(certificate, collector.ca);
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
      expect(warnings(await up(env)).join()).to.match(/^could not send the trace: [A-Z_]+$/);
      await workspace().write({ '006_more.up.sql': 'SELECT 1;' });
      expect(warnings(await up({ ...env, OTEL_EXPORTER_OTLP_CERTIFICATE: certificate }))).to.deep.equal([]);
      expect(collector.received).to.have.length(1);
    });
  });

  describe('the notice', () => {
    it('is the termination message with a text, of a run that changed or failed something', async () => {
      const { url, received } = await receiver();
      const env = { LOCKSTEP_NOTIFY_FILE: await notifyFile(`${url}/services/T0/hunter2`) };
      expectExit(await up(env), 0);
      expectExit(await up(env), 0);
      expectExit(await up({ ...env, LOCKSTEP_JOB: 'shop-migrate' }), 0);
      await workspace().write(BAD);
      expectExit(await up(env), 40);
      expectExit(await runCli(['down', '--steps', '1'], { env: { ...workspace().env, ...env } }), 0);
      const bodies = received.map(({ body }) => JSON.parse(body) as { text: string });
      const texts = bodies.map(({ text, ...message }) => {
        valid('termination', JSON.stringify(message));
        return text;
      });
      expect(texts).to.have.length(3);
      expect(texts[0]).to.match(
        /^lockstep up of shop\/3@1\.4\.0 in \S+: Applied 5 migrations in .*; the last was 005_order_notes$/,
      );
      expect(texts[1]).to.match(/: MIGRATION_FAILED \(exit 40\): 006_bad\.up\.sql failed \(line 2\): .*23502/);
      expect(texts[2]).to.match(/^lockstep down in \S+: Rolled back 1 migration /);
      expect(JSON.stringify(received.map(({ body }) => body))).to.not.include('hunter2');
      expect(received[0]).to.include({ method: 'POST', path: '/services/T0/hunter2' });
    });

    it('of a pod that repeats the failure of another is not sent', async () => {
      const { url, received } = await receiver();
      await workspace().write(BAD);
      const env = { LOCKSTEP_NOTIFY_FILE: await notifyFile(url), LOCKSTEP_RELEASE: 'shop@1.4.0' };
      for (const pod of ['web-1', 'web-2', 'web-3']) expectExit(await up({ ...env, LOCKSTEP_POD: pod }), 40);
      expect(received).to.have.length(1);
    });
  });

  const MUTE: readonly [title: string, status: number | 'silence', reason: RegExp][] = [
    ['refuses', 503, /: it answered with HTTP 503$/],
    ['redirects', 307, /: it answered with HTTP 307$/],
    ['never answers', 'silence', /: no answer within [123] s$/],
  ];
  for (const [title, status, reason] of MUTE) {
    it(`succeeds although whoever is told ${title}, and says so in three lines without the addresses`, async () => {
      const { url, received } = await receiver(status);
      const secret = url.replace('//', '//user:hunter2@');
      const result = await up(
        { OTEL_EXPORTER_OTLP_ENDPOINT: secret, LOCKSTEP_NOTIFY_FILE: await notifyFile(secret) },
        '--metrics-push',
        secret,
      );
      expectExit(result, 0);
      const lines = warnings(result);
      expect(lines.map((line) => line.split(':')[0]).sort()).to.deep.equal([
        'could not push the metrics',
        'could not send the notice',
        'could not send the trace',
      ]);
      for (const line of lines) expect(line).to.match(reason);
      expect(result.stderr).to.not.include('hunter2');
      expect(received.map(({ headers }) => headers.authorization)).to.deep.equal(
        Array.from({ length: 3 }, () => `Basic ${Buffer.from('user:hunter2').toString('base64')}`),
      );
    });
  }

  it('succeeds although nothing can be written or read', async () => {
    const result = await up(
      { LOCKSTEP_NOTIFY_FILE: join(folder, 'nothing'), OTEL_EXPORTER_OTLP_ENDPOINT: 'nowhere' },
      '--metrics-file',
      join(folder, 'no', 'such', 'folder.prom'),
      '--metrics-push',
      'http://127.0.0.1:1',
    );
    expectExit(result, 0);
    expect(warnings(result)).to.have.length(4);
  });

  it('is not loaded unless it is asked for', async () => {
    const dist = join(folder, 'dist');
    await cp(distFolder(), dist, { recursive: true });
    const chunks = (await readdir(dist)).filter((name) => name.startsWith('watch-'));
    expect(chunks).to.have.length(1);
    await rm(join(dist, chunks[0]!));
    expectExit(await runCli(['up'], { env: workspace().env, dist }), 0);
    // One that asks for it misses it, and still succeeds.
    const missed = await runCli(['up', '--metrics-file', join(folder, 'x')], { env: workspace().env, dist });
    expectExit(missed, 0);
    expect(warnings(missed).join()).to.match(/^no metrics, traces and notices: /);
  });
});
