/** Versions in part: some statements of their file, up or down, are committed, but not all. */
import type { AppliedVersion } from '../history.ts';
import { compareVersions, type Direction, type Migration, type Version } from '../migration.ts';
import type { Problem } from './problem.ts';

export interface VersionInPart {
  readonly version: Version;
  /** Of the file that was begun. */
  readonly direction: Direction;
  /** The checksums of its finished statements, first to last. */
  readonly done: readonly string[];
  /** A statement outside a transaction that has started and has no recorded end: it is running, or its run died. */
  readonly started?: StartedStatement;
}

export interface StartedStatement {
  /** Counts from 1. */
  readonly statement: number;
  readonly checksum: string;
  /** Its text, if it was requested and is known. */
  readonly sql?: string;
}

/** A row of the journal about a statement, since its version last came to an end. */
export interface StatementRow extends StartedStatement {
  readonly version: Version;
  readonly direction: Direction;
  readonly event: string;
}

/** The state that the rows, oldest first, add up to; in version order. */
export function progressOf(rows: readonly StatementRow[]): VersionInPart[] {
  const found = new Map<Version, VersionInPart>();
  for (const { version, direction, event, ...row } of rows) {
    const before = found.get(version);
    const known = before?.direction === direction ? before : { version, direction, done: [] };
    found.set(version, after(known, event, row));
  }
  return [...found.values()]
    .filter(({ done, started }) => done.length > 0 || started)
    .sort((a, b) => compareVersions(a.version, b.version));
}

function after({ started, ...known }: VersionInPart, event: string, row: StartedStatement): VersionInPart {
  if (event === 'statement started') return { ...known, started: row };
  const done = event === 'statement done' ? known.done.toSpliced(row.statement - 1, 1, row.checksum) : known.done;
  return { ...known, done, ...(started && started.statement !== row.statement && { started }) };
}

/** The history decides: another tool may have recorded the version, or removed its row. */
export function unfinished(inPart: readonly VersionInPart[], applied: readonly AppliedVersion[]): VersionInPart[] {
  const rows = new Set(applied.map(({ version }) => version));
  return inPart.filter(({ version, direction }) => rows.has(version) === (direction === 'down'));
}

/** One line for people. */
export function describeInPart({ version, direction, done, started }: VersionInPart): string {
  const facts = [
    ...(done.length === 0
      ? []
      : [done.length === 1 ? 'statement 1 is done' : `statements 1 to ${done.length} are done`]),
    ...(started ? [`statement ${started.statement} was started and has no recorded end`] : []),
  ];
  return `${version} is ${direction === 'up' ? 'applied' : 'rolled back'} in part: of its ${direction} file ${facts.join('; ')}`;
}

/** The two ways to settle it. */
export function waysOut({ version, direction }: VersionInPart): string {
  const finish = direction === 'up' ? '"lockstep up" with its file' : 'the same "lockstep down"';
  return `finish ${version} with ${finish}, or undo its finished statements by hand and run "lockstep repair --only ${version} --reset"`;
}

/** Refuses an `up` on top of a rollback that stopped half-way. */
export function refuseUp(inPart: readonly VersionInPart[], migrations: readonly Migration[], steps: number): Problem[] {
  const files = new Set(migrations.map(({ version }) => version));
  return inPart
    .filter(({ version, direction }) => direction === 'down' && (steps > 0 || files.has(version)))
    .map((one) => problem('HISTORY_CONFLICT', one));
}

/** Refuses a `down` past a version in part. `beyond`: every version newer than the target. */
export function refuseDown(
  inPart: readonly VersionInPart[],
  { beyond, leaving }: { readonly beyond: readonly Version[]; readonly leaving: readonly Version[] },
): Problem[] {
  return inPart.flatMap((one): Problem[] => {
    // Its down file expects the whole up file to have run.
    if (one.direction === 'up') return beyond.includes(one.version) ? [problem('ROLLBACK_REFUSED', one)] : [];
    return leaving.includes(one.version) ? [] : [problem('HISTORY_CONFLICT', one)];
  });
}

/** One sentence for each version in part that the run does not touch. */
export function inPartRemarks(inPart: readonly VersionInPart[], touched: readonly Version[]): string[] {
  return inPart
    .filter(({ version }) => !touched.includes(version))
    .map((one) => `${describeInPart(one)}; ${waysOut(one)}`);
}

function problem(code: 'HISTORY_CONFLICT' | 'ROLLBACK_REFUSED', one: VersionInPart): Problem {
  return { code, message: describeInPart(one), hint: waysOut(one) };
}

/** Tells a person how to report whether a statement did its work. */
export function settleHint({
  version,
  direction,
}: {
  readonly version: Version;
  readonly direction: Direction;
}): string {
  const command = `lockstep repair --only ${version} --statement`;
  return `check the database; if the statement did its work, run "${command} done"; to run it again, run "${command} again"; then run ${direction === 'up' ? 'up' : 'the same down again'}`;
}
