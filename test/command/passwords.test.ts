/** The executable proves a password in every way that a server may ask for: the bundle has its own calls for that. */
import { expect } from 'chai';

import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { startTlsServer, type TlsServer } from '../support/tls-server.ts';

describe('how the executable proves a password', () => {
  let server: TlsServer;

  before(async function () {
    this.timeout(60_000);
    server = await startTlsServer();
  });

  after(() => server.stop());

  async function logIn(user: string, parameters: string, password?: string): Promise<CliResult> {
    const url = new URL(server.url(user, parameters));
    if (password !== undefined) url.password = password;
    return await runCli(['lock'], { env: { DATABASE_URL: url.href } });
  }

  it('by SCRAM', async () => {
    expectExit(await logIn('only_clear', 'sslmode=disable'), 0);
  });

  it('by SCRAM that is bound to the TLS channel', async () => {
    expectExit(
      await logIn('only_tls', `sslmode=verify-full&sslrootcert=${server.files.ca}&channel_binding=require`),
      0,
    );
  });

  it('by MD5', async () => {
    expectExit(await logIn('by_md5', 'sslmode=disable'), 0);
  });

  it('in clear text', async () => {
    expectExit(await logIn('in_clear', 'sslmode=require'), 0);
  });

  for (const user of ['only_clear', 'by_md5', 'in_clear'])
    it(`and is refused with a wrong one, as ${user}`, async () => {
      const { code, stderr } = await logIn(user, 'sslmode=disable', 'wrong');
      expect(code, stderr).to.equal(23);
      expect(stderr).to.contain('28P01');
    });
});
