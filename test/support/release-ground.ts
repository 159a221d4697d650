/** Runs the release walk on a real server: the library applies and rolls back, the command repairs. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { MigratorError } from '../../src/core/errors.ts';
import { runCli } from './cli.ts';
import type { Ended, Ground, Image } from './release-walk.ts';
import { down, up } from './running.ts';
import type { Workspace } from './workspace.ts';

export async function groundIn(workspace: Workspace, images: readonly Image[]): Promise<Ground> {
  const dirOf = ({ tag }: Image): string => join(workspace.dir, tag);
  for (const image of images) {
    await mkdir(dirOf(image));
    for (const { up: script, down: undo } of image.files) {
      await writeFile(join(dirOf(image), script.file), script.text);
      if (undo) await writeFile(join(dirOf(image), undo.file), undo.text);
    }
  }
  return {
    up: (image, release, reapply) =>
      ended(up(workspace, { dir: dirOf(image), reapply, ...(release !== undefined && { release }) })),
    down: (image, release, { to, hold }) =>
      ended(
        down(workspace, {
          dir: dirOf(image),
          to,
          from: 'stored',
          ...(hold !== undefined && { hold }),
          ...(release !== undefined && { release }),
        }),
      ),
    async repair(image, only) {
      const { code, stderr } = await runCli(['repair', ...(only === undefined ? [] : ['--only', only])], {
        env: { ...workspace.env, LOCKSTEP_DIR: dirOf(image) },
      });
      return { exit: code ?? -1, summary: stderr };
    },
    async applied() {
      const [there] = await workspace.query<{ there: boolean }>(
        `SELECT to_regclass('schema_migrations') IS NOT NULL AS there`,
      );
      return there!.there ? await workspace.versions() : [];
    },
  };
}

async function ended(work: Promise<unknown>): Promise<Ended> {
  try {
    await work;
    return { exit: 0, summary: '' };
  } catch (error) {
    if (error instanceof MigratorError) return { exit: error.exit, summary: error.summary };
    throw error;
  }
}
