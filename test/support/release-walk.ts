/**
 * Releases, pods, Jobs, rollbacks, repairs and upgrades in a random order, and a model of which run may apply what:
 * a version that an operator has rolled back is applied again only by a later release of that name, or by an operator.
 */
import { expect } from 'chai';

import type { Migration, Version } from '../../src/core/migration.ts';
import { migration } from './fakes/files.ts';

/** The result of a run. */
export interface Ended {
  readonly exit: number;
  readonly summary: string;
}

/** The environment of the walk. */
export interface Ground {
  up(image: Image, release: string | undefined, reapply: readonly Version[]): Promise<Ended>;
  down(
    image: Image,
    release: string | undefined,
    options: { readonly to: Version; readonly hold: boolean | undefined },
  ): Promise<Ended>;
  repair(image: Image, only: Version | undefined): Promise<Ended>;
  applied(): Promise<readonly Version[]>;
}

export interface Image {
  readonly tag: string;
  readonly files: readonly Migration[];
}

const [A, B, C, D] = ['001_a', '002_b', '003_c', '004_d'] as const;
const good = (version: Version): Migration =>
  migration(version, `CREATE TABLE t_${version} ()`, `DROP TABLE t_${version}`);
/** The same migration with other text; and one that fails. */
const reworded = (version: Version): Migration =>
  migration(version, `CREATE TABLE t_${version} (); SELECT 2`, `DROP TABLE t_${version}`);
const broken = (version: Version): Migration => migration(version, 'SELECT 1/0', `DROP TABLE t_${version}`);

export const IMAGES: readonly Image[] = [
  { tag: 'v1', files: [good(A)] },
  { tag: 'v2', files: [A, B].map(good) },
  { tag: 'v3', files: [A, B, C].map(good) },
  { tag: 'v4', files: [good(A), reworded(B), good(C)] },
  { tag: 'v5', files: [good(A), good(B), broken(C)] },
  { tag: 'v6', files: [A, B, C, D].map(good) },
];

interface Held {
  /** The releases that had run by then. */
  readonly ran: ReadonlySet<string>;
  /** The name whose later release ends it; undefined for any name. */
  readonly names: readonly string[];
}

/** mulberry32. */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

export class ReleaseWalk {
  readonly #ground: Ground;
  readonly #roll: (sides: number) => number;
  readonly #ran = new Set<string>();
  readonly #deployed: { readonly release: string; readonly image: Image }[] = [];
  readonly #held = new Map<Version, Held>();
  readonly #appliedBy = new Map<Version, string | undefined>();
  readonly #rolledBack = new Set<Version>();
  #revision = 0;
  /** The acts so far, for diagnosis. */
  readonly story: string[] = [];
  /** How often each act had an effect. */
  readonly tally = new Map<string, number>();

  constructor(ground: Ground, seed: number) {
    this.#ground = ground;
    this.#roll = dice(seed);
  }

  async walk(acts: number): Promise<void> {
    for (let act = 0; act < acts; act += 1) await this.#act();
  }

  async #act(): Promise<void> {
    const acts = [
      () => this.#upgrade('shop'),
      () => this.#upgrade('shop'),
      () => this.#upgrade('stock'),
      () => this.#restart(),
      () => this.#restart(),
      () => this.#restart(),
      () => this.#up(this.#image(), undefined, []),
      () => this.#reapply(),
      () => this.#down(),
      () => this.#down(),
      () => this.#down(),
      () => this.#repair(),
    ];
    await this.#one(acts)();
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#roll(of.length)]!;
  }

  #image(): Image {
    return this.#one(IMAGES);
  }

  async #upgrade(name: string): Promise<void> {
    this.#revision += 1;
    const image = this.#image();
    const release = `${name}/${this.#revision}@${image.tag}`;
    this.#deployed.push({ release, image });
    await this.#up(image, release, []);
  }

  /** A retried Job, or one of its pods. */
  async #restart(): Promise<void> {
    if (this.#deployed.length === 0) return;
    const { release, image } = this.#one(this.#deployed);
    await this.#up(image, this.#roll(3) === 0 ? release : release.replace(/\/\d+@/, '@'), []);
  }

  async #reapply(): Promise<void> {
    const image = this.#image();
    const held = [...this.#held.keys()].filter((version) => image.files.some((file) => file.version === version));
    if (held.length > 0) await this.#up(image, this.#roll(2) === 0 ? undefined : 'shop@v1', held);
  }

  async #up(image: Image, release: string | undefined, reapply: readonly Version[]): Promise<void> {
    const before = await this.#ground.applied();
    const pending = image.files.map(({ version }) => version).filter((version) => !before.includes(version));
    const { exit, summary } = await this.#ground.up(image, release, reapply);
    const fresh = (await this.#ground.applied()).filter((version) => !before.includes(version));
    this.#tell(
      `up ${image.tag} as ${release ?? 'nobody'}${reapply.length > 0 ? ` --reapply ${reapply.join()}` : ''} -> ${exit} ${summary}: ${fresh.join(' ') || 'nothing'}`,
    );
    this.#count('up', fresh.length > 0 ? 'applies' : exit === 0 ? 'skips' : `ends ${exit}`);
    for (const version of fresh) {
      expect(
        this.#mayApply(version, release, reapply),
        `${version} was applied by ${release ?? 'nobody'}${this.#end()}`,
      ).to.equal(true);
      this.#held.delete(version);
      this.#rolledBack.delete(version);
      this.#appliedBy.set(version, release);
    }
    const bound = pending.filter((version) => !this.#mayApply(version, release, reapply));
    // No run is refused without a reason, and no run ignores a hold that applies to it.
    expect(
      / (is|are) held: /.test(summary),
      `refused as held, with ${bound.join() || 'nothing'} held for it${this.#end()}`,
    ).to.equal(bound.length > 0 && !isChanged(summary));
    if (exit === 0 || exit === 40) this.#runs(release);
  }

  #mayApply(version: Version, release: string | undefined, reapply: readonly Version[]): boolean {
    const held = this.#held.get(version);
    if (!held || reapply.includes(version)) return true;
    if (release === undefined || held.ran.has(release)) return false;
    return held.names.length === 0 || held.names.includes(nameOf(release));
  }

  async #down(): Promise<void> {
    const before = await this.#ground.applied();
    if (before.length === 0) return;
    const to = this.#one(before);
    const image = this.#image();
    const release = this.#roll(2) === 0 ? undefined : `shop/${this.#revision + 1}@${image.tag}`;
    const hold = this.#one([undefined, undefined, true, false]);
    const { exit, summary } = await this.#ground.down(image, release, { to, hold });
    const gone = before.filter((version) => version > to);
    const left = await this.#ground.applied();
    this.#tell(`down ${image.tag} --to ${to} as ${release ?? 'nobody'} hold ${String(hold)} -> ${exit} ${summary}`);
    if (exit !== 0) {
      expect(left, `a refused rollback${this.#end()}`).to.deep.equal(before);
      this.#count('down', `ends ${exit}`);
      return;
    }
    expect(left, `what is left${this.#end()}`).to.deep.equal(before.filter((version) => version <= to));
    // By then the release that it runs in is known.
    const holds = hold ?? (this.#ran.size > 0 || release !== undefined);
    this.#count('down', gone.length === 0 ? 'nothing' : holds ? 'holds' : 'holds nothing');
    for (const version of gone) this.#rolledBack.add(version);
    const meant = hold === true ? [...this.#rolledBack].filter((version) => version > to) : gone;
    if (holds) for (const version of meant) this.#hold(version, release);
    if (gone.length > 0 || (hold === true && meant.length > 0)) this.#runs(release);
  }

  #hold(version: Version, release: string | undefined): void {
    const ran = new Set([...this.#ran, ...(release === undefined ? [] : withPod(release))]);
    const by = this.#appliedBy.get(version) ?? release;
    this.#held.set(version, { ran, names: by === undefined ? [...ran].map(nameOf) : [nameOf(by)] });
  }

  async #repair(): Promise<void> {
    const only = this.#one([undefined, undefined, A, B, C]);
    const image = IMAGES.at(-1)!;
    const before = await this.#ground.applied();
    const { exit } = await this.#ground.repair(image, only);
    this.#tell(`repair ${only ?? ''} -> ${exit}`);
    this.#count('repair', only === undefined ? 'all' : 'one');
    expect(await this.#ground.applied()).to.deep.equal(before);
    expect(exit).to.equal(0);
    if (only !== undefined) this.#held.delete(only);
  }

  #runs(release: string | undefined): void {
    for (const one of release === undefined ? [] : withPod(release)) this.#ran.add(one);
  }

  #tell(line: string): void {
    this.story.push(line);
  }

  #count(act: string, what: string): void {
    this.tally.set(`${act} ${what}`, (this.tally.get(`${act} ${what}`) ?? 0) + 1);
  }

  #end(): string {
    return `\n${this.story.slice(-40).join('\n')}\nheld: ${[...this.#held.keys()].join()}\n`;
  }
}

function isChanged(summary: string): boolean {
  return /disagree/.test(summary);
}

/** A Job and its pods. */
function withPod(release: string): string[] {
  return [release, release.replace(/\/\d+@/, '@')];
}

function nameOf(release: string): string {
  return release.split(/[/@]/)[0]!;
}
