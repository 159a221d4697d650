/** Roles of one test, which may work in its schema; dropped with it. */
import { randomBytes } from 'node:crypto';

import type { Workspace } from './workspace.ts';

export interface TestRole {
  readonly name: string;
  /** The workspace's address for this role. */
  readonly url: string;
}

interface RoleOptions {
  /** Privileges in the workspace's schema; all by default. */
  readonly grant?: 'ALL' | 'USAGE';
  /** Initial settings of its sessions. */
  readonly settings?: Readonly<Record<string, string>>;
}

export async function createRole(
  workspace: Workspace,
  { grant = 'ALL', settings = {} }: RoleOptions = {},
): Promise<TestRole> {
  const suffix = randomBytes(4).toString('hex');
  const name = `lockstep_test_role_${suffix}`;
  const password = randomBytes(12).toString('hex');
  await workspace.query(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
  workspace.defer(async () => {
    // After a failure, the objects that it owns may be needed for diagnosis.
    await workspace.query(`REASSIGN OWNED BY ${name} TO CURRENT_USER`);
    await workspace.query(`DROP OWNED BY ${name}`);
    await workspace.query(`DROP ROLE ${name}`);
  });
  await workspace.query(`GRANT ${grant} ON SCHEMA ${workspace.schema} TO ${name}`);
  for (const [setting, value] of Object.entries(settings))
    await workspace.query(`ALTER ROLE ${name} SET ${setting} = '${value}'`);
  const url = new URL(workspace.url);
  url.username = name;
  url.password = password;
  return { name, url: url.href };
}
