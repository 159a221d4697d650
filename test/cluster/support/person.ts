/** A user at a terminal with only the permissions granted: runs the commands that the documentation shows. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { atEnd } from '../../support/cleanup.ts';
import type { ServiceAccount } from '../../support/in-cluster.ts';
import type { ApiServer } from './api-server.ts';

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A shell, in the folder `cwd`, whose kubectl has the permissions of this account, or those of an administrator, in this namespace. */
export async function shellOf(
  api: ApiServer,
  namespace: string,
  account?: ServiceAccount,
  cwd?: string,
): Promise<(script: string) => Promise<Said>> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-person-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const settings = JSON.parse(
    await api.kubectl(['config', 'view', '--raw', '--flatten', '--minify', '-o', 'json']),
  ) as Settings;
  for (const { context } of settings.contexts) context.namespace = namespace;
  if (account) for (const entry of settings.users) entry.user = { token: account.token };
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, JSON.stringify(settings), { mode: 0o600 });
  const folders = [process.env['KUBEBUILDER_ASSETS'], process.env['PATH']].filter(
    (each) => each !== undefined && each !== '',
  );
  return (script) => run(script, { PATH: folders.join(delimiter), HOME: folder, KUBECONFIG: kubeconfig }, cwd);
}

interface Settings {
  readonly contexts: { readonly context: { namespace?: string } }[];
  readonly users: { user: object }[];
}

function run(script: string, env: Readonly<Record<string, string>>, cwd: string | undefined): Promise<Said> {
  return new Promise((resolve, reject) => {
    execFile('bash', ['-euo', 'pipefail', '-c', script], { env, cwd, timeout: 120_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(new Error(`this did not end by itself: ${script}`, { cause: error }));
    });
  });
}

/** The first block in that language on a page that contains the words. @throws Error where there is none. */
export async function blockOf(page: string, language: string, words: string): Promise<string> {
  const blocks = [
    ...(await readFile(page, 'utf8')).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms')),
  ].map(([, body = '']) => body);
  const found = blocks.find((body) => body.includes(words));
  if (found === undefined) throw new Error(`${page} shows no ${language} with ${words}`);
  return found;
}
