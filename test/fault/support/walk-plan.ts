/** The plan of a round of the random walk: the seed alone decides it, before anything runs. */

export type Release = 'old' | 'new';

/** An act on one of the current runners. */
export type Blow =
  | 'SIGKILL'
  | 'SIGTERM'
  | 'SIGSTOP'
  | 'SIGCONT'
  | 'cut'
  | 'cut before next'
  | 'cut after next'
  | 'end session';

export type Act =
  | { readonly kind: 'come'; readonly release: Release }
  /** `pick` chooses among the runners that the act can apply to at that moment. */
  | { readonly kind: 'strike'; readonly blow: Blow; readonly pick: number }
  | { readonly kind: 'end holder' }
  | { readonly kind: 'restart'; readonly mode: 'fast' | 'immediate' };

interface Decision {
  /** The number of messages that the runners send before this act. */
  readonly afterMessages: number;
  readonly act: Act;
}

export interface RoundPlan {
  readonly round: number;
  /** The maximum number of runners at once. */
  readonly places: number;
  readonly decisions: readonly Decision[];
}

const DECISIONS = 40;
const MOST_PLACES = 5;
const PICKS = 60;
/** Most acts follow in quick succession; a run of all files sends about a hundred messages. */
const PAUSES = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34] as const;
/** In percent. */
const WEIGHTS = [
  ['come', 40],
  ['SIGKILL', 13],
  ['SIGTERM', 11],
  ['SIGSTOP', 8],
  ['cut', 4],
  ['cut before next', 4],
  ['cut after next', 4],
  ['end session', 6],
  ['end holder', 6],
  ['restart fast', 2],
  ['restart immediate', 2],
] as const;

/** The name of each act; a freeze includes its thaw, which has no weight of its own. */
export const NAMES: readonly string[] = [...WEIGHTS.map(([name]) => name), 'SIGCONT'];

export function nameOf(act: Act): string {
  if (act.kind === 'strike') return act.blow;
  return act.kind === 'restart' ? `restart ${act.mode}` : act.kind;
}

export function planRound(seed: number, round: number): RoundPlan {
  const chance = new Chance(seed, round);
  const places = 2 + chance.below(MOST_PLACES - 1);
  // A round starts with the maximum number of runners.
  const decisions: Decision[] = Array.from({ length: places }, () => ({ afterMessages: 0, act: come(chance) }));
  while (decisions.length < DECISIONS) {
    const act = drawAct(chance);
    decisions.push({ afterMessages: chance.of(PAUSES), act });
    // The server ends a session that is idle for half a minute, so a freeze is short.
    if (nameOf(act) === 'SIGSTOP')
      decisions.push({ afterMessages: 1 + chance.below(5), act: strike('SIGCONT', chance) });
  }
  return { round, places, decisions };
}

function come(chance: Chance): Act {
  return { kind: 'come', release: chance.below(3) === 0 ? 'old' : 'new' };
}

function strike(blow: Blow, chance: Chance): Act {
  return { kind: 'strike', blow, pick: chance.below(PICKS) };
}

function drawAct(chance: Chance): Act {
  const name = chance.weighted(WEIGHTS);
  if (name === 'come') return come(chance);
  if (name === 'end holder') return { kind: name };
  if (name === 'restart fast') return { kind: 'restart', mode: 'fast' };
  return name === 'restart immediate' ? { kind: 'restart', mode: 'immediate' } : strike(name, chance);
}

/** The generator "mulberry32": small and portable. */
class Chance {
  #state: number;

  constructor(seed: number, round: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(round, 0x85ebca6b)) >>> 0;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  weighted<T>(choices: readonly (readonly [T, number])[]): T {
    let left = this.below(choices.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [choice, weight] of choices) {
      if (left < weight) return choice;
      left -= weight;
    }
    throw new Error('the weights do not add up');
  }
}
