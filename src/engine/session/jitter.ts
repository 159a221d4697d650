/** Pauses of different length, so that many runners do not come back at the same moment. */
import type { Clock } from '../../core/ports.ts';

/** Between half of `ms` and `ms`, at most `longest`; in milliseconds. */
export function jitter(clock: Clock, ms: number, longest = Infinity): number {
  return Math.round(Math.min(ms, longest) * (0.5 + clock.random() / 2));
}
