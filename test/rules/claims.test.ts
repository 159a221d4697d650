/**
 * Each rule of `validate` says what its bad example does to a server: while the example runs, another session looks at
 * the locks, and the files and counters of the tables are compared. The good examples must not do it. `npm run
 * test:rules` proves it on PostgreSQL 14 to 18.
 */
import { expect } from 'chai';

import { CLAIMS, NOT_PROVED, type Claim } from '../../src/core/rules/claims.ts';
import type { Rule } from '../../src/core/rules/rule.ts';
import { RULES } from '../../src/core/rules/rules.ts';
import { LOCK_MODES, onGround, prepareGround, type Seen, type Trial } from '../support/rule-ground.ts';
import { ownServer } from '../support/server.ts';

const PROVABLE = RULES.filter(({ family }) => family !== 'style');

/** What the server does, or the SQLSTATE that it answers with. */
async function outcome(trial: Trial, text: string): Promise<ReadonlyMap<string, Seen> | string> {
  return await trial.run(text).catch((error: unknown) => String((error as { code?: unknown }).code));
}

describe('what rules claim', () => {
  let ground: { serverUrl: string; template: string };
  let major: number;

  before('start a server', async () => {
    const { url } = await ownServer();
    ground = { serverUrl: url, template: await prepareGround(url) };
    major = await onGround(ground, async (trial) =>
      Number(await trial.query("SELECT current_setting('server_version_num')::int / 10000")),
    );
  });

  it('is either proved or not about the server', () => {
    expect([...Object.keys(CLAIMS), ...Object.keys(NOT_PROVED)]).to.have.members(PROVABLE.map(({ id }) => id));
  });

  for (const rule of PROVABLE) {
    const claim = CLAIMS[rule.id];
    if (!claim) continue;

    it(`${rule.id}: the bad example`, async () => {
      if (major < (claim.since ?? 0)) {
        await refused(rule);
        return;
      }
      await onGround(ground, async (trial) => {
        await setUp(trial, rule, claim);
        await expectClaim(trial, claim, await outcome(trial, rule.bad));
      });
    });

    it(`${rule.id}: the good examples`, async () => {
      if (major < (claim.since ?? 0)) return;
      await onGround(ground, async (trial) => {
        await setUp(trial, rule, claim);
        for (const text of rule.good) expectNoClaim(text, claim, await outcome(trial, text));
        if (claim.goodToo !== undefined || claim.goodFails !== undefined) return;
        if ('breaks' in claim) expect(await trial.works(claim.breaks)).to.equal(true);
        if ('shows' in claim) expect(await trial.query(claim.shows)).to.equal(false);
      });
    });
  }

  /** A server that is older than the statement. */
  async function refused({ before = '', bad }: Rule): Promise<void> {
    await onGround(ground, async (trial) => {
      if (before !== '') await trial.run(before);
      expect(await outcome(trial, bad)).to.equal('42601');
    });
  }
});

async function setUp(trial: Trial, { before = '' }: Rule, { setUp: more = '' }: Claim): Promise<void> {
  if (before !== '') await trial.run(before);
  if (more !== '') await trial.query(more);
}

async function expectClaim(trial: Trial, claim: Claim, seen: ReadonlyMap<string, Seen> | string): Promise<void> {
  if ('fails' in claim) return void expect(seen).to.equal(claim.fails);
  if (typeof seen === 'string') throw new Error(`the example failed: ${seen}`);
  if ('breaks' in claim) return void expect(await trial.works(claim.breaks)).to.equal(false);
  if ('shows' in claim) return void expect(await trial.query(claim.shows)).to.equal(true);
  const { lock, work, on = [] } = claim;
  for (const table of on) expect(seen.get(table)?.lock, table).to.equal(lock);
  const [first = ''] = on;
  if (work) expect(seen.get(first), first).to.include({ [work]: true });
}

/** A statement may take the same lock for a moment, if it does not work under it. */
function expectNoClaim(text: string, claim: Claim, seen: ReadonlyMap<string, Seen> | string): void {
  if (claim.goodFails !== undefined) return void expect(seen).to.equal(claim.goodFails);
  if (typeof seen === 'string') throw new Error(`${text} failed: ${seen}`);
  if (!('lock' in claim)) return;
  for (const table of claim.on ?? []) {
    const one = seen.get(table);
    const { lock = 'ACCESS SHARE' } = one ?? {};
    const isWeaker = LOCK_MODES.indexOf(lock) < LOCK_MODES.indexOf(claim.lock);
    if (claim.work) expect(isWeaker || one?.[claim.work] !== true, `${text} on ${table}`).to.equal(true);
    else expect(isWeaker, `${text}: ${lock} on ${table}`).to.equal(true);
  }
}
