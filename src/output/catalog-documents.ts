/** The JSON documents of the commands about catalogs. */
import type { DriftReport, ProveReport } from '../core/reports.ts';

export interface ProveDocument extends Omit<ProveReport, 'error'> {
  readonly command: 'prove';
  readonly exit: number;
  readonly proved: boolean;
}

export interface DriftDocument extends Omit<DriftReport, 'error'> {
  readonly command: 'drift';
  readonly exit: number;
  readonly drifted: boolean;
}

export function proveDocument({ error, ...report }: ProveReport): ProveDocument {
  return { command: 'prove', exit: error?.exit ?? 0, proved: error === undefined, ...report };
}

export function driftDocument({ error, ...report }: DriftReport): DriftDocument {
  return { command: 'drift', exit: error?.exit ?? 0, drifted: error !== undefined, ...report };
}
