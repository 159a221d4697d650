/** What has failed of the migrations that `wait` waits for, and the error with which it gives up. */
import { MigratorError } from '../../core/errors.ts';
import { describeFailure, recordedFailure, type JournalEntry } from '../../core/history.ts';
import { describeInPart, waysOut, type VersionInPart } from '../../core/plan/in-part.ts';
import type { Migration, Version } from '../../core/migration.ts';
import type { Reporter, Session } from '../../core/ports.ts';
import { ifVisible } from '../migrate/held-versions.ts';

/** A run works in order, so what failed is among the first that are pending. */
const FIRST_PENDING = 20;

/** Finds the last failure of what is pending, and reports each once. */
export function reportingFailures(
  session: Session,
  migrations: readonly Migration[],
  { reporter, warn }: { readonly reporter: Reporter; readonly warn: (message: string) => void },
): (pending: readonly Version[]) => Promise<JournalEntry | undefined> {
  let reported: string | undefined;
  return async (pending) => {
    const first = pending.slice(0, FIRST_PENDING);
    const files = migrations.filter(({ version }) => first.includes(version));
    if (files.length === 0) return undefined;
    const failure = await ifVisible(session.journal.lastFailureOf(files), undefined, warn);
    if (failure?.version !== undefined && failure.id !== reported)
      reporter.report({ type: 'wait.failed', version: failure.version, failure });
    reported = failure?.id;
    return failure;
  };
}

interface Waited {
  readonly migrations: readonly Migration[];
  readonly pending: readonly Version[];
  readonly inPart: readonly VersionInPart[];
  readonly failure: JournalEntry | undefined;
  readonly waitedMs: number;
}

export function afterFailure({ version }: JournalEntry, waited: Waited): MigratorError {
  return notApplied(`${version} failed, and no runner is at work (--fail-on-failure)`, waited);
}

export function timedOut(message: string, timeoutMs: number, waited: Waited): MigratorError {
  return notApplied(`not all migrations were applied within --timeout=${timeoutMs / 1000}s: ${message}`, waited);
}

function notApplied(summary: string, { migrations, pending, inPart, failure, waitedMs }: Waited): MigratorError {
  const skipped = migrations.map(({ version }) => version).filter((version) => !pending.includes(version));
  return new MigratorError('PENDING', summary, {
    problems: [
      ...(failure ? [describeFailure(failure)] : []),
      ...pending.map((version) => {
        const part = inPart.find((one) => one.version === version);
        return part ? describeInPart(part) : `${version} is pending`;
      }),
    ],
    ...(failure && { version: failure.version, recorded: recordedFailure(failure) }),
    outcome: {
      command: 'wait',
      done: [],
      notRun: [],
      skipped,
      pending,
      warnings: [],
      dryRun: false,
      waitedMs,
      durationMs: waitedMs,
    },
    hint: [
      failure
        ? 'correct the migration and release it again; "lockstep history" says what ran'
        : 'look at the runner that applies them (its log, or "lockstep history"), or wait longer',
      ...inPart.map(waysOut),
    ].join('; '),
  });
}
