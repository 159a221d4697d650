/**
 * A round of the random walk: runners start and end by its plan until all files are applied; then every condition must
 * hold.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import type { Postgres } from '../../../scripts/postgres/server.ts';
import { eventually } from '../../support/bounded.ts';
import { runCli, type CliResult } from '../../support/cli.ts';
import { versionsOf } from '../../support/migrations.ts';
import { WireProxy } from '../../support/wire-proxy.ts';
import { Workspace } from '../../support/workspace.ts';
import {
  expectDocumented,
  expectEverybodyGone,
  expectSameState,
  expectSoundJournal,
  readState,
  type State,
} from './aftermath.ts';
import { Traffic } from './traffic.ts';
import { nameOf, type Act, type Blow, type Release, type RoundPlan } from './walk-plan.ts';
import type { WalkTally } from './walk-tally.ts';
import { OLD_FILES, WALKED_FILES } from './walked-files.ts';
import { appliedBy, Walker } from './walker.ts';

/** For a single runner. */
interface Place {
  readonly proxy: WireProxy;
  walker: Walker | undefined;
}

export interface WalkOptions {
  readonly server: Postgres;
  /** The state after a run without a fault. */
  readonly state: State;
  readonly tally: WalkTally;
}

/** @throws Error with all acts of the round, and the violated conditions. */
export async function walkRound(plan: RoundPlan, { server, state, tally }: WalkOptions): Promise<void> {
  const workspace = await Workspace.create(server.url);
  const round = new Round(workspace, server, tally);
  try {
    await round.walk(plan);
    expectDocumented('the plain run', await runCli(['up'], { env: { ...workspace.env, LOCKSTEP_POD: 'plain' } }), [0]);
    expectSameState(await readState(workspace), state);
    expect(await workspace.invalidIndexes()).to.deep.equal([]);
    await expectEverybodyGone(workspace);
    await expectSoundJournal(workspace, versionsOf(WALKED_FILES));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`round ${plan.round}: ${text}\n\nWhat was done:\n${round.diary.join('\n')}`, { cause: error });
  } finally {
    await workspace.close({ keep: false });
  }
}

class Round {
  readonly diary: string[] = [];
  readonly #workspace: Workspace;
  readonly #server: Postgres;
  readonly #tally: WalkTally;
  readonly #traffic = new Traffic();
  readonly #places: Place[] = [];
  readonly #walkers: Walker[] = [];
  readonly #verdicts: Promise<void>[] = [];
  readonly #applied: string[] = [];
  readonly #failures: string[] = [];
  #done = false;

  constructor(workspace: Workspace, server: Postgres, tally: WalkTally) {
    this.#workspace = workspace;
    this.#server = server;
    this.#tally = tally;
  }

  async walk({ places, decisions }: RoundPlan): Promise<void> {
    const oldDir = await this.#writeFiles();
    for (let place = 0; place < places; place += 1) await this.#makePlace();
    try {
      for (const { afterMessages, act } of decisions) {
        await this.#traffic.more(afterMessages, () => !this.#walkers.some(({ moves }) => moves));
        if (this.#done || this.#failures.length > 0) break;
        const struck = await this.#act(act, oldDir);
        this.#tally.act(nameOf(act), struck);
        this.diary.push(
          `  after ${afterMessages} messages: ${nameOf(act)}${act.kind === 'come' ? ` (${act.release} release)` : ''}: ${struck ?? 'nobody there'}`,
        );
      }
    } finally {
      for (const walker of this.#walkers) if (!walker.ended) walker.thaw();
      await Promise.all(this.#verdicts);
    }
    const twice = this.#applied.filter((version, index) => this.#applied.indexOf(version) !== index);
    if (twice.length > 0) this.#failures.push(`applied twice, by what the runs say: ${twice.join(', ')}`);
    if (this.#failures.length > 0) throw new Error(this.#failures.join('\n'));
  }

  /** @returns the folder of the old release. */
  async #writeFiles(): Promise<string> {
    await this.#workspace.write(WALKED_FILES);
    const oldDir = await mkdtemp(join(tmpdir(), 'lockstep-test-old-'));
    this.#workspace.defer(() => rm(oldDir, { recursive: true, force: true }));
    for (const [name, text] of Object.entries(OLD_FILES)) await writeFile(join(oldDir, name), text);
    return oldDir;
  }

  async #makePlace(): Promise<void> {
    const proxy = await WireProxy.start(this.#workspace.url);
    this.#workspace.defer(() => proxy.stop());
    const place: Place = { proxy, walker: undefined };
    this.#places.push(place);
    this.#disarm(place);
  }

  #disarm({ proxy }: Place): void {
    proxy.rule = () => {
      this.#traffic.count();
      return 'pass';
    };
  }

  /** The runner that was hit; undefined when there was none. */
  async #act(act: Act, oldDir: string): Promise<string | undefined> {
    switch (act.kind) {
      case 'come':
        return this.#come(act.release, oldDir);
      case 'end holder':
        return await this.#endSession(undefined);
      case 'restart':
        return await this.#restart(act.mode);
      case 'strike':
        return await this.#strike(act.blow, act.pick);
    }
  }

  #come(release: Release, oldDir: string): string | undefined {
    const place = this.#places.find(({ walker }) => walker?.ended !== false);
    if (place === undefined) return undefined;
    this.#disarm(place);
    const { env } = this.#workspace;
    const name = `walker-${this.#walkers.length + 1}`;
    const walker = new Walker(name, {
      release,
      proxy: place.proxy,
      env: release === 'old' ? { ...env, LOCKSTEP_DIR: oldDir } : env,
    });
    place.walker = walker;
    this.#walkers.push(walker);
    this.#verdicts.push(this.#judge(walker));
    return name;
  }

  async #judge(walker: Walker): Promise<void> {
    let said = '';
    try {
      const result = await walker.exited;
      said = result.stderr;
      const stoppedAfterMs = walker.stoppedAfterMs(result);
      const after = stoppedAfterMs === undefined ? '' : `, ${(stoppedAfterMs / 1000).toFixed(1)} s after SIGTERM`;
      this.diary.push(`  (${walker.name} ended with ${result.signal ?? String(result.code)}${after})`);
      this.#tally.ended(result, stoppedAfterMs);
      walker.expectGoodEnd(result);
      await this.#expectTrueWords(walker, result);
    } catch (error) {
      this.#failures.push(`${error instanceof Error ? error.message : String(error)}\n${said}`);
    } finally {
      this.#traffic.look();
    }
  }

  /**
   * Checks a runner's end: what it reports as applied is recorded; after success, so is its whole release; after
   * SIGTERM, the lock is free.
   */
  async #expectTrueWords(walker: Walker, result: CliResult): Promise<void> {
    const applied = appliedBy(result);
    this.#applied.push(...applied);
    if (result.code === 143 && walker.wasOnlyToldToStop) {
      const names = (await this.#ask(() => this.#workspace.lockSessions())).map(({ name }) => name);
      expect(
        names.filter((name) => name.endsWith(` ${walker.name}`)),
        `locks of ${walker.name} after its end`,
      ).to.deep.equal([]);
    }
    const promised = result.code === 0 ? versionsOf(walker.release === 'old' ? OLD_FILES : WALKED_FILES) : applied;
    if (promised.length === 0) return;
    expect(await this.#ask(() => this.#workspace.versions()), `the history after ${walker.name}`).to.include.members(
      promised,
    );
    if (result.code === 0 && walker.release === 'new') this.#done = true;
  }

  async #strike(kind: Blow, pick: number): Promise<string | undefined> {
    const struck = this.#places.flatMap((place) =>
      place.walker && canStrike(kind, place.walker) ? [{ place, walker: place.walker }] : [],
    );
    const found = struck[pick % struck.length];
    if (found === undefined) return undefined;
    const { place, walker } = found;
    switch (kind) {
      case 'SIGKILL':
        walker.kill();
        await walker.exited;
        break;
      case 'SIGTERM':
        walker.tellToStop();
        break;
      case 'SIGSTOP':
        walker.freeze();
        break;
      case 'SIGCONT':
        walker.thaw();
        break;
      case 'cut':
        walker.loses();
        place.proxy.cut();
        break;
      case 'cut before next':
      case 'cut after next':
        this.#arm(place, walker, kind === 'cut before next' ? 'cut' : 'cut-after');
        break;
      case 'end session':
        return await this.#endSession(walker);
    }
    return walker.name;
  }

  #arm(place: Place, walker: Walker, action: 'cut' | 'cut-after'): void {
    place.proxy.rule = () => {
      this.#disarm(place);
      walker.loses();
      this.#traffic.count();
      return action;
    };
  }

  /** The session of this runner, or of the holder of the lock. */
  async #endSession(of: Walker | undefined): Promise<string | undefined> {
    const sessions = await this.#ask(() =>
      this.#workspace.query<{ pid: number; name: string }>(
        `SELECT pid, application_name AS name FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'lockstep up %'`,
      ),
    );
    const holders = new Set((await this.#ask(() => this.#workspace.lockSessions())).map(({ pid }) => pid));
    const isOf = (name: string, walker: Walker): boolean => name.endsWith(` ${walker.name}`);
    const [found] = sessions.filter(({ pid, name }) => (of === undefined ? holders.has(pid) : isOf(name, of)));
    const struck = this.#walkers.find((walker) => found !== undefined && isOf(found.name, walker));
    if (found === undefined || struck === undefined) return undefined;
    struck.loses();
    await this.#ask(() => this.#workspace.query('SELECT pg_terminate_backend($1)', [found.pid]));
    return struck.name;
  }

  async #restart(mode: 'fast' | 'immediate'): Promise<string> {
    for (const walker of this.#walkers) walker.loses();
    await this.#server.restart(mode);
    return `${this.#walkers.filter(({ ended }) => !ended).length} runners`;
  }

  /** The server may have restarted meanwhile, which ended this session. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    return await eventually('the server to answer', async () => await question().catch(isLost));
  }
}

function canStrike(kind: Blow, walker: Walker): boolean {
  if (kind === 'SIGCONT') return walker.isFrozen;
  // A second SIGTERM ends the process without output.
  if (kind === 'SIGTERM' && walker.wasTold) return false;
  return walker.isOnline && !(kind === 'SIGSTOP' && walker.isFrozen);
}

/** Ignores SQLSTATE class 57 (operator intervention) and errors without a SQLSTATE. @throws every other error. */
function isLost(error: unknown): undefined {
  const { code = '' } = error as { code?: string };
  if (/^[0-9A-Z]{5}$/.test(code) && !code.startsWith('57P')) throw error;
  return undefined;
}
