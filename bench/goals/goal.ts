// Answers: what does a goal give? Tables to read, and checks: a figure and the bound that it should keep.
import type { Contender } from '../contenders/contender.ts';

export interface Setting {
  /** For files; gone at the end. */
  readonly folder: string;
  readonly repeat: number;
  readonly peers: readonly Contender[];
  /** One line of what is being done. */
  readonly tell: (text: string) => void;
}

export interface Goal {
  readonly name: string;
  readonly title: string;
  measure(setting: Setting): Promise<Result>;
}

export interface Result {
  readonly tables: readonly Table[];
  readonly checks: readonly Check[];
  /** What was left out, and why. */
  readonly notes?: readonly string[];
  /** For the chart. */
  readonly bars?: readonly Bar[];
}

interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

export interface Bar {
  readonly name: string;
  readonly ms: number;
  /** Ours, what anybody has to pay, or another's. */
  readonly kind: 'ours' | 'least' | 'other';
}

/** The first cell names the row; a number is shown with as many digits as it needs. */
export type Row = readonly (string | number | undefined)[];

export interface Check {
  readonly what: string;
  readonly measured: number | undefined;
  readonly unit?: string;
  readonly bound: number;
  /** The figure is to be as large as the bound, or larger; otherwise as small, or smaller. */
  readonly atLeast?: boolean;
}

/** Undefined where there is no figure. */
export function isMet({ measured, bound, atLeast = false }: Check): boolean | undefined {
  if (measured === undefined) return undefined;
  return atLeast ? measured >= bound : measured <= bound;
}
