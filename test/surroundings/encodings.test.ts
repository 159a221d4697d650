/** Databases whose encoding lacks characters of version, pod and release names, reasons, or stored down SQL. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { expect } from 'chai';

import { encodingOf } from '../../src/adapters/postgres/wire/encoding.ts';
import { documentOf } from '../support/json-documents.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { withClient } from '../support/planted.ts';
import { useWorkspace } from '../support/workspace.ts';

/** One of each kind: with é but no emoji, Cyrillic, multibyte, and UTF8. */
const ENCODINGS = ['LATIN1', 'WIN1251', 'EUC_JP', 'UTF8', 'SQL_ASCII'];
const NAMES = ['001_plain', '002_é', '003_🚀_→', '004_привет'];

describe('a database that is not UTF8', () => {
  const workspace = useWorkspace();

  for (const encoding of ENCODINGS) {
    it(`${encoding}: Lockstep's own texts are written, and read back unchanged`, async () => {
      const own = workspace();
      const name = `lockstep_test_${randomBytes(6).toString('hex')}`;
      await own.query(`CREATE DATABASE ${name} ENCODING '${encoding}' TEMPLATE template0 LOCALE 'C'`);
      own.defer(() => own.query(`DROP DATABASE ${name} WITH (FORCE)`));
      const url = new URL(own.serverUrl);
      url.pathname = `/${name}`;
      await own.write(
        Object.fromEntries(
          NAMES.flatMap((version, index) => [
            [`${version}.up.sql`, `CREATE TABLE t${index} ();`],
            // Only a comment of the down file contains the arrow.
            [`${version}.down.sql`, `-- back → there\nDROP TABLE t${index};`],
          ]),
        ),
      );
      const env = {
        PATH: process.env['PATH'] ?? '',
        DATABASE_URL: url.href,
        LOCKSTEP_DIR: own.dir,
        LOCKSTEP_RELEASE: 'shop/1@🚀',
        LOCKSTEP_POD_NAME: 'pod-→',
      };
      expectExit(await runCli(['up'], { env }), 0);
      expect((await runCli(['up'], { env })).stdout).to.include(`skip ${NAMES.length} migrations`);
      const status = await runCli(['status', '--json'], { env });
      const { migrations } = documentOf('status', status) as { migrations: { version: string; state: string }[] };
      expect(migrations.map(({ version, state }) => [version, state])).to.deep.equal(
        NAMES.map((version) => [version, 'applied']),
      );
      const empty = { ...env, LOCKSTEP_ALLOW_EMPTY: 'true', LOCKSTEP_DIR: `${own.dir}/none` };
      await mkdir(empty.LOCKSTEP_DIR);
      const shown = await runCli(['down', '--steps', '2', '--dry-run'], { env: empty });
      expect(shown.stdout).to.include('-- back → there');
      expectExit(await runCli(['down', '--to', NAMES[0]!, '--hold', '--reason', 'warum → 🚀'], { env: empty }), 0);
      const held = await runCli(['status', '--json'], { env });
      expect(held.stdout).to.include('warum → 🚀').and.include('shop/1@🚀');
      await withClient(url.href, async (client) => {
        expect((await client.query('SELECT count(*)::int AS n FROM schema_migrations')).rows).to.deep.equal([{ n: 1 }]);
      });
    });
  }

  it('keeps characters of its encoding as they are, escapes the others, and restores all of them', () => {
    for (const [name, text, written] of [
      ['LATIN1', 'é→🚀', 'é{U+2192}{U+1F680}'],
      ['WIN1252', '€é→', '€é{U+2192}'],
      ['KOI8R', 'при é', 'при {U+00E9}'],
      ['EUC_JP', 'あ', '{U+3042}'],
      ['UTF8', 'é→🚀{U+2192}', 'é→🚀{U+2192}'],
    ] as const) {
      const { encode, decode } = encodingOf(name);
      expect(encode(text), name).to.equal(written);
      expect(decode(encode(text)), name).to.equal(text);
    }
  });
});
