/** The shop of the demo has a kept schema, which is what its migrations make. */
import { runCli, expectExit } from '../support/cli.ts';
import { testServer } from '../support/server.ts';

describe('migrations/schema.txt', () => {
  it('is what the migrations make, and each of them has a way back', async function () {
    this.timeout(240_000);
    const { url } = await testServer(this);
    const env = { PATH: process.env['PATH'] ?? '', LOCKSTEP_SCRATCH_URL: url, LOCKSTEP_DIR: 'migrations' };
    expectExit(await runCli(['prove', '--check', '--hooks', '--strict'], { env, timeoutMs: 200_000 }), 0);
  });
});
