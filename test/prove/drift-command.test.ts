/** What Kubernetes is told of drift: one Event, and the termination message. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { startApiDouble } from '../support/api-double.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { inCluster } from '../support/in-cluster.ts';
import { valid } from '../support/json-documents.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('drift in Kubernetes', () => {
  const workspace = useWorkspace();

  it('posts SchemaDrifted and names the objects in the termination message', async () => {
    const { dir, env, write } = { ...workspace(), write: workspace().write.bind(workspace()) };
    await write({ '001_a.up.sql': 'CREATE TABLE a ();', 'schema.txt': 'server 18\n\nschema nowhere\n' });
    const api = await startApiDouble([{ status: 201 }]);
    workspace().defer(() => api.stop());
    const cluster = await inCluster(api, { namespace: 'shop', token: 'a-token' });
    workspace().defer(() => cluster.remove());
    const file = join(dir, 'termination-log');
    const pod = { LOCKSTEP_POD: 'web-1', LOCKSTEP_JOB: 'shop-drift', LOCKSTEP_TERMINATION_LOG: file };
    expectExit(await runCli(['drift'], { env: { ...env, ...cluster.env, ...pod } }), 42);
    expect(api.received.map(({ body }) => body.reason)).to.deep.equal(['SchemaDrifted']);
    expect(api.received[0]?.body.note).to.include('schema nowhere is missing');
    const message = valid('termination', await readFile(file, 'utf8'));
    expect(message).to.deep.include({ command: 'drift', exit: 42, code: 'DRIFTED' });
  });
});
