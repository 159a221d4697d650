/** Row security on the history or the journal: rows that it may hide from a role are never treated as absent. */
import { expect } from 'chai';

import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { createRole, type TestRole } from '../support/roles.ts';
import { up } from '../support/running.ts';
import { stateOf } from '../support/state.ts';
import { useWorkspace } from '../support/workspace.ts';

const FILES = {
  '001_a.up.sql': 'CREATE TABLE a (x int);',
  '001_a.down.sql': 'DROP TABLE a;',
  '002_b.up.sql': 'CREATE TABLE b (x int);',
  '002_b.down.sql': 'DROP TABLE b;',
};

const COMMANDS: Readonly<Record<string, (database: string) => string[]>> = {
  status: () => ['status', '--exit-code'],
  wait: () => ['wait', '--timeout', '10s'],
  up: () => ['up'],
  'up --dry-run': () => ['up', '--dry-run'],
  baseline: () => ['baseline', '--to', '002_b'],
  repair: () => ['repair'],
  'down --dry-run': () => ['down', '--steps', '1', '--dry-run'],
  'down --all': (database) => ['down', '--all', '--confirm', database, '--no-hold'],
};

/**
 * Whether row security is active for a role (`row_security_active`): for an owner only with FORCE, never for a role
 * with BYPASSRLS.
 */
const ROLES = ['owner', 'member of the owner', 'other', 'BYPASSRLS', 'superuser'] as const;
type Who = (typeof ROLES)[number];
const isActive = (who: Who, force: boolean): boolean =>
  who === 'other' || (force && (who === 'owner' || who === 'member of the owner'));

describe('row security', () => {
  const workspace = useWorkspace();
  let roles: Readonly<Record<Who, string>>;
  let owner: TestRole;

  beforeEach(async () => {
    const here = workspace();
    await here.write(FILES);
    owner = await createRole(here);
    const [member, other, bypassing] = [await createRole(here), await createRole(here), await createRole(here)];
    await here.query(
      `GRANT ${owner.name} TO ${member.name}, ${bypassing.name}; ALTER ROLE ${bypassing.name} BYPASSRLS`,
    );
    await up(here, { connectionString: owner.url });
    await here.query(`GRANT SELECT ON schema_migrations, schema_migrations_journal TO ${other.name}`);
    roles = {
      owner: owner.url,
      'member of the owner': member.url,
      other: other.url,
      BYPASSRLS: bypassing.url,
      superuser: here.url,
    };
  });

  const run = (who: Who, args: readonly string[]): Promise<CliResult> => {
    // The tables' owner is not a superuser: a superuser switches to its role to write.
    const role =
      who === 'superuser' && !['status', 'wait'].includes(args[0]!) && !args.includes('--dry-run')
        ? ['--role', owner.name]
        : [];
    return runCli([...args, ...role], { env: { ...workspace().env, DATABASE_URL: roles[who] } });
  };

  for (const [table, forces] of Object.entries({
    schema_migrations: [false, true],
    schema_migrations_journal: [true],
  })) {
    for (const force of forces) {
      for (const who of ROLES) {
        // FORCE applies again once it acts as the owner.
        const hidden = (what: string): boolean =>
          isActive(who === 'superuser' && !/status|wait|dry-run/.test(what) ? 'owner' : who, force);
        it(`${force ? 'FORCE ' : ''}on ${table}, as ${who}: ${isActive(who, force) ? 'commands are refused and name it' : 'has no effect'}`, async () => {
          await workspace().query(
            `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY${force ? ', FORCE ROW LEVEL SECURITY' : ''}`,
          );
          const before = await stateOf(workspace());
          for (const [what, command] of Object.entries(COMMANDS)) {
            const args = command(new URL(workspace().url).pathname.slice(1));
            const result = await run(who, args);
            // Commands that write nothing need only the history.
            const readsOnly =
              table === 'schema_migrations_journal' && ['wait', 'up', 'up --dry-run', 'baseline'].includes(what);
            if (hidden(what) && !readsOnly) {
              // A role without the right to write may get that error first.
              if (who !== 'other' || result.code !== 23) {
                expectExit(result, 22);
                expect(result.stderr, what).to.include('row security').and.include(table);
              }
              expect(await stateOf(workspace()), what).to.deep.equal(before);
            } else if (who !== 'other') {
              expectExit(result, 0);
            } else {
              // The role may only read: writing is refused, and existing rows are never reported as absent.
              expect([0, 22, 23], `${what}: ${result.stderr}`).to.include(result.code);
              expect(result.stdout.replace('Nothing is pending', ''), what).to.not.match(/pending|not applied/);
              expect(await stateOf(workspace()), what).to.deep.equal(before);
            }
          }
        });
      }
    }
  }
});
