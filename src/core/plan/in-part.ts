/** Versions in part: statements of their file, up or down, are committed, and it has not come to its end. */
import type { AppliedVersion } from '../history.ts';
import { compareVersions, type Direction, type Migration, type Version } from '../migration.ts';
import type { Problem } from './problem.ts';

export interface VersionInPart {
  readonly version: Version;
  /** Of the file that was begun. */
  readonly direction: Direction;
  /** The checksums of its finished statements, first to last. */
  readonly done: readonly string[];
  /** The statement outside a transaction of which nobody has recorded how it ended: it runs, or its run died in it. */
  readonly started?: StartedStatement;
}

export interface StartedStatement {
  /** Counts from 1. */
  readonly statement: number;
  readonly checksum: string;
  /** Its text, where that was asked for and is known. */
  readonly sql?: string;
}

/** A row of the journal about a statement, since its version last came to an end. */
export interface StatementRow extends StartedStatement {
  readonly version: Version;
  readonly direction: Direction;
  readonly event: string;
}

/** What the rows, oldest first, come to; in version order. */
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

/** The history has the last word: another tool may have recorded the version, or have taken its row away. */
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
    ...(started ? [`statement ${started.statement} was started, and nobody has recorded how it ended`] : []),
  ];
  return `${version} is in part ${direction === 'up' ? 'applied' : 'rolled back'}: of its ${direction} file ${facts.join('; ')}`;
}

/** Both ways out of it. */
export function waysOut({ version, direction }: VersionInPart): string {
  const finish = direction === 'up' ? '"lockstep up" with its file' : 'the same "lockstep down"';
  return `finish ${version} with ${finish}, or undo by hand what is done of it and run "lockstep repair --only ${version} --reset"`;
}

/** What keeps an `up` from its plan: it can't build on what a rollback has left half-way. */
export function refuseUp(inPart: readonly VersionInPart[], migrations: readonly Migration[], steps: number): Problem[] {
  const files = new Set(migrations.map(({ version }) => version));
  return inPart
    .filter(({ version, direction }) => direction === 'down' && (steps > 0 || files.has(version)))
    .map((one) => problem('HISTORY_CONFLICT', one));
}

/** What keeps a `down` from its plan. `beyond`: what it would leave behind must not be there in part. */
export function refuseDown(
  inPart: readonly VersionInPart[],
  { beyond, leaving }: { readonly beyond: readonly Version[]; readonly leaving: readonly Version[] },
): Problem[] {
  return inPart.flatMap((one): Problem[] => {
    // Its down file was written for the whole.
    if (one.direction === 'up') return beyond.includes(one.version) ? [problem('ROLLBACK_REFUSED', one)] : [];
    return leaving.includes(one.version) ? [] : [problem('HISTORY_CONFLICT', one)];
  });
}

/** Of what a run leaves as it is: a sentence each. */
export function inPartRemarks(inPart: readonly VersionInPart[], touched: readonly Version[]): string[] {
  return inPart
    .filter(({ version }) => !touched.includes(version))
    .map((one) => `${describeInPart(one)}; ${waysOut(one)}`);
}

function problem(code: 'HISTORY_CONFLICT' | 'ROLLBACK_REFUSED', one: VersionInPart): Problem {
  return { code, message: describeInPart(one), hint: waysOut(one) };
}

/** For a person who has to say what became of a statement. */
export function settleHint({
  version,
  direction,
}: {
  readonly version: Version;
  readonly direction: Direction;
}): string {
  const command = `lockstep repair --only ${version} --statement`;
  return `look at the database; if the statement did its work, run "${command} done", if it is to run again, "${command} again"; then run ${direction === 'up' ? 'up' : 'the same down again'}`;
}
