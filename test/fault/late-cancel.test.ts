/** A cancel request that comes late: the statement has ended by itself, and nothing that follows it may be met instead. */
import { expect } from 'chai';

import { expectExit, runCli, startCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { file, FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { StepProxy, type Step } from './support/step-proxy.ts';

describe('a cancel request that comes late', () => {
  const workspace = useWorkspace();

  it('is waited for: until then nothing more is sent on the session', async () => {
    const files = { ...FIVE_FILES, ...file(6, 'slow', 'SELECT 1;'), ...file(7, 'never', 'CREATE TABLE never ();') };
    const gate = await closeGate(workspace());
    await workspace().write({ ...files, ...file(6, 'slow', gate.sql) });
    const steps: Step[] = [];
    const cancel = Promise.withResolvers<Step>();
    const proxy = await StepProxy.start(workspace().url, async (step) => {
      steps.push(step);
      if (step.message.type === 'cancel-request') cancel.resolve(step);
      else step.link.forward(step.message).catch(() => undefined);
    });
    workspace().defer(() => proxy.stop());
    const run = startCli(['up'], { env: { ...workspace().env, DATABASE_URL: proxy.url } });
    await gate.arrived();
    run.kill('SIGTERM');
    const { link, message } = await cancel.promise;
    const sent = steps.length;
    await gate.open();
    await run.waitForLog(({ event, ...line }) => event === 'migration.applied' && line['version'] === '006_slow');
    // By the time that another process has come and gone it would have sent something.
    expectExit(await runCli(['status'], workspace()), 0);
    expect(steps.slice(sent).map((step) => step.message.text)).to.deep.equal([]);
    link.forward(message).catch(() => undefined);
    expectExit(await run.exited, 143);
    expect(await workspace().versions()).to.deep.equal(versionsOf(files).filter((version) => version !== '007_never'));
    expectExit(await runCli(['up'], workspace()), 0);
  });
});
