/** How a user's migrations get into the image, as docs/image.md shows. */
import { chmod, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'chai';

import { FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, type Files } from '../support/migrations.ts';
import {
  databaseOf,
  LOCKSTEP,
  useLockstepImage,
  useSharedWorkspace,
  type ContainerResult,
} from './support/lockstep-image.ts';

const OWN = 'localhost/lockstep-test/shop-migrations:1';
const SHOP = 'localhost/lockstep-test/shop:1';

const hookThatImports = (from: string): string =>
  `import { found } from '${from}';\nexport default async ({ log }) => log(found);\n`;

/** A hook with a module beside it. */
const HOOKED: Files = {
  '006_hooked.up.sql': 'CREATE TABLE hooked ();',
  '006_hooked.before.mjs': hookThatImports('./near.mjs'),
  'near.mjs': `export const found = 'what the hook imports';\n`,
};

/** The same hook with a package. */
const HOOKED_BY_PACKAGE: Files = {
  '006_hooked.up.sql': 'CREATE TABLE hooked ();',
  '006_hooked.before.mjs': hookThatImports('near'),
  'node_modules/near/package.json': '{ "name": "near", "type": "module", "exports": "./near.js" }',
  'node_modules/near/near.js': `export const found = 'what the hook imports';\n`,
};

describe('migrations get to the image', () => {
  const image = useLockstepImage();
  const workspace = useSharedWorkspace();

  async function folderWith(files: Files, mode = 0o644): Promise<string> {
    const folder = await mkdtemp(join(workspace().dir, 'context-'));
    await chmod(folder, 0o755);
    for (const [name, text] of Object.entries(files)) {
      const file = join(folder, 'migrations', name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text, { mode });
    }
    return folder;
  }

  async function expectApplied({ code, stderr, logs }: ContainerResult): Promise<void> {
    expect(code, stderr).to.equal(0);
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    expect(logs.filter(({ event }) => event === 'hook.log').map(({ text }) => text)).to.deep.equal([
      'what the hook imports',
    ]);
  }

  async function up(more: {
    readonly image?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly more?: readonly string[];
  }): Promise<ContainerResult> {
    return await image().run(['up'], { ...more, env: { ...databaseOf(workspace()), ...more.env } });
  }

  it('by FROM and COPY, whatever the permissions of the files', async () => {
    const context = await folderWith({ ...FIVE_FILES, ...HOOKED_BY_PACKAGE }, 0o600);
    await image().store.build(OWN, {
      context,
      dockerfile: `FROM ${LOCKSTEP}\nCOPY --chmod=0555 migrations/ /migrations/\n`,
    });
    await expectApplied(await up({ image: OWN }));
  });

  it('by COPY without --chmod only if every user may read them: else exit 21 names the file', async () => {
    const context = await folderWith(FIVE_FILES, 0o600);
    await image().store.build(OWN, { context, dockerfile: `FROM ${LOCKSTEP}\nCOPY migrations/ /migrations/\n` });
    const { code, stderr } = await up({ image: OWN });
    expect(code).to.equal(21);
    expect(stderr).to.include('001_accounts.up.sql: is not readable by this user');
  });

  it("by COPY --from the application's image", async () => {
    const context = await folderWith({ ...FIVE_FILES, ...HOOKED });
    await image().store.build(SHOP, { context, dockerfile: 'FROM scratch\nCOPY migrations/ /shop/migrations/\n' });
    await image().store.build(OWN, {
      context,
      dockerfile: `FROM ${SHOP} AS shop\nFROM ${LOCKSTEP}\nCOPY --from=shop --chmod=0555 /shop/migrations/ /migrations/\n`,
    });
    await expectApplied(await up({ image: OWN }));
  });

  it("by a volume of the application's image", async () => {
    const context = await folderWith({ ...FIVE_FILES, ...HOOKED });
    await image().store.build(SHOP, { context, dockerfile: 'FROM scratch\nCOPY migrations/ /shop/migrations/\n' });
    await expectApplied(
      await up({
        env: { LOCKSTEP_DIR: '/image/shop/migrations' },
        more: [`--mount=type=image,source=${SHOP},destination=/image`],
      }),
    );
  });

  it('by a ConfigMap, whose files are links to links', async () => {
    const folder = await mkdtemp(join(workspace().dir, 'config-map-'));
    await chmod(folder, 0o755);
    const version = '..2026_11_25_10_00_00.1234567890';
    await mkdir(join(folder, version));
    await symlink(version, join(folder, '..data'));
    for (const [name, text] of Object.entries({ ...FIVE_FILES, ...HOOKED })) {
      await writeFile(join(folder, version, name), text);
      await symlink(join('..data', name), join(folder, name));
    }
    await expectApplied(await up({ more: [`--volume=${folder}:/migrations:ro`] }));
  });
});
