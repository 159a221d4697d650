/** The identity of a runner, and how lock holders and blockers are described. */

export type CommandName =
  | 'up'
  | 'down'
  | 'wait'
  | 'status'
  | 'history'
  | 'validate'
  | 'baseline'
  | 'import'
  | 'repair'
  | 'drift'
  | 'prove'
  | 'lock'
  | 'fleet'
  | 'create';

/** A runner's identity, written to `application_name` and to the journal. */
export interface RunnerIdentity {
  /** A UUID of this run; its log lines and journal rows carry it. */
  readonly run: string;
  readonly command: CommandName;
  /** Lockstep's version. */
  readonly productVersion: string;
  /** The pod's name, else the host's. */
  readonly name: string;
  /** The database of a fleet that it works on. */
  readonly target?: string | undefined;
  readonly release?: string | undefined;
  readonly image?: string | undefined;
}

/** A session that holds the lock, as far as other sessions may see it. */
export interface Holder {
  readonly pid: number;
  /** Empty when the session set none. */
  readonly applicationName: string;
  /** Absent in exclusive mode. */
  readonly mode?: 'shared';
  /** When its run started, from the journal. */
  readonly since?: Date | undefined;
  /** What it is doing, from the journal, for example `up 007_add_index`. */
  readonly doing?: string | undefined;
}

/** A session that holds a lock which a migration waits for. */
export interface Blocker {
  readonly pid: number;
  readonly applicationName: string;
  readonly state?: string;
  readonly query?: string;
  /** When its transaction began. */
  readonly since?: Date;
}

/** PostgreSQL cuts `application_name` after this many bytes. */
const MAX_APPLICATION_NAME = 63;

/** The name of a runner as the journal keeps it and `application_name` begins it: with the target, as pods' names say little. */
export function runnerName({ name, target }: Pick<RunnerIdentity, 'name' | 'target'>): string {
  return target === undefined ? name : `${name} (${target})`;
}

/** `lockstep <command> <version> <runner>`: the one field about a holder that every role can read. */
export function applicationName(
  runner: Pick<RunnerIdentity, 'command' | 'productVersion' | 'name' | 'target'>,
): string {
  // The server replaces other characters by `?`; doing it here keeps the length known.
  const text = `lockstep ${runner.command} ${runner.productVersion} ${runnerName(runner)}`;
  return text.replaceAll(/[^\x20-\x7e]/gu, '?').slice(0, MAX_APPLICATION_NAME);
}

/** Only an `up` never removes applied versions: a run with nothing pending need not wait for it. */
export function onlyAddsToHistory(holder: Holder): boolean {
  return /^lockstep up /.test(holder.applicationName);
}

/** One line about a blocker for people. */
export function describeBlocker({ pid, applicationName, state, query, since }: Blocker): string {
  const parts = [applicationName === '' ? 'a session without a name' : `"${applicationName}"`, `(pid ${pid})`];
  if (state !== undefined) parts.push(state);
  if (since) parts.push(`since ${since.toISOString()}`);
  if (query !== undefined) parts.push(`with: ${query.replaceAll(/\s+/g, ' ')}`);
  return parts.join(' ');
}

/** One line about a holder for people: application name, pid, since when, doing what. */
export function describeHolder(holder: Holder): string {
  const parts = [holder.applicationName === '' ? 'a session without a name' : `"${holder.applicationName}"`];
  parts.push(holder.mode === 'shared' ? `(pid ${holder.pid}, in shared mode)` : `(pid ${holder.pid})`);
  if (holder.since) parts.push(`since ${holder.since.toISOString()}`);
  if (holder.doing !== undefined) parts.push(`running ${holder.doing}`);
  return parts.join(' ');
}
