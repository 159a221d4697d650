/** A late cancel request: the statement has already ended, and the request must not cancel the next one. */
import { expect } from 'chai';

import { expectExit, runCli, startCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { file, FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { StepProxy, type Step } from './support/step-proxy.ts';

describe('a late cancel request', () => {
  const workspace = useWorkspace();

  it('delays further messages on the session until it has been processed', async () => {
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
    // A runner without this delay sends its next message before another process has started and ended.
    expectExit(await runCli(['status'], workspace()), 0);
    expect(steps.slice(sent).map((step) => step.message.text)).to.deep.equal([]);
    link.forward(message).catch(() => undefined);
    expectExit(await run.exited, 143);
    expect(await workspace().versions()).to.deep.equal(versionsOf(files).filter((version) => version !== '007_never'));
    expectExit(await runCli(['up'], workspace()), 0);
  });
});
