/**
 * `up` and `down`: preview → lock → read again → plan again → apply → outcome. under-lock.ts does the part under the
 * lock.
 */
import { judgeRemarks } from '../../core/file-names.ts';
import { unfinished } from '../../core/plan/in-part.ts';
import { pendingVersions } from '../../core/plan/plan.ts';
import type { Outcome } from '../../core/outcome.ts';
import type { Check, MigrationSet, Reporter } from '../../core/ports.ts';
import { onlyAddsToHistory } from '../../core/runner.ts';
import { connect, type ConnectOptions, type Opened } from '../session/connect.ts';
import { withLock } from '../session/with-lock.ts';
import { interruptedBy, interruption } from '../session/interrupting.ts';
import { Progress } from './progress.ts';
import { checkHeldVersions } from './held-versions.ts';
import { refuseWhilePaused } from './pause.ts';
import { planRun, stepsMeant } from './plan-run.ts';
import type { MigrateOptions, MigratePorts, Run } from './run.ts';

/** @throws MigratorError; its `details.outcome` says what was done before it. */
export async function migrate(options: MigrateOptions, ports: MigratePorts): Promise<Outcome> {
  const { request, signal, dryRun } = options;
  const progress = new Progress(request.direction, dryRun, ports);
  try {
    const { migrations, session, check } = await readAndConnect(
      { ...options, writes: !dryRun },
      { ...ports, progress },
      signal,
    );
    try {
      const run: Run = { migrations, session, progress, options, ports };
      await interruptedBy(signal, session, () => planThenLock(run, check));
    } finally {
      await session.close();
    }
    return progress.succeeded();
  } catch (error) {
    throw progress.failed(signal.aborted ? interruption(signal) : error);
  }
}

/** Whether versions that are rolled back already are to be held, too. */
function holdsMore({ options: { request } }: Run): boolean {
  return request.direction === 'down' && request.hold === true;
}

/** Records the release at its first run, even when nothing was pending. Best effort: it takes the right to write. */
async function noteRelease({ session, options: { request } }: Run, { journal, writesRefused }: Check): Promise<void> {
  if (request.direction === 'down' || journal?.releaseSeen !== false || writesRefused) return;
  await session.journal.noteRelease().catch(() => undefined);
}

/**
 * Reads the files while the connection opens. Invalid files are reported at once, and then nothing about the server.
 */
async function readAndConnect(
  options: ConnectOptions & Pick<MigrateOptions, 'strict'>,
  ports: MigratePorts & { readonly progress: Progress },
  signal: AbortSignal,
): Promise<Opened & Pick<MigrationSet, 'migrations'>> {
  const reading = ports.source.read();
  const reporter: Reporter = {
    report: (event) =>
      void reading.then(
        () => ports.reporter.report(event),
        () => undefined,
      ),
  };
  const unneeded = new AbortController();
  const connecting = connect(options, { ...ports, reporter }, AbortSignal.any([signal, unneeded.signal]));
  // It is awaited below, and may fail before that.
  connecting.catch(() => undefined);
  try {
    const { migrations, remarks } = await reading;
    ports.progress.warn(judgeRemarks(remarks, options.strict));
    return { migrations, ...(await connecting) };
  } catch (error) {
    unneeded.abort(error);
    await connecting.then(
      ({ session }) => session.close(),
      () => undefined,
    );
    throw error;
  }
}

/** The plan made before the lock is a preview: it fails early, and lets replicas exit without the lock. */
async function planThenLock(run: Run, check: Check): Promise<void> {
  const { migrations, session, progress, options } = run;
  const { lockWaitMs, signal, dryRun } = options;
  const { direction } = options.request;
  const meant = stepsMeant(run, check.history);
  const settled = async (now: Check): Promise<false | undefined> => {
    progress.sees(pendingVersions(migrations, now.history.applied));
    // A plan made while another run rolls back is about a state that will not last; nor is a rollback's while another
    // run applies.
    const lasts = now.free || (direction === 'up' && now.holder !== undefined && onlyAddsToHistory(now.holder));
    if (!lasts && !dryRun) return undefined;
    const inPart = now.journal?.inPart ?? [];
    const preview = await planRun(run, now.history, inPart);
    progress.planned(preview);
    if (dryRun)
      progress.wouldRun = await (await import('./dry-run.ts')).rehearse(
        run,
        preview,
        unfinished(inPart, now.history.applied),
      );
    else if (preview.steps.length === 0 && !holdsMore(run)) {
      progress.upToDate(preview);
      await noteRelease(run, now);
    } else {
      // While another run holds the lock, it may be fixing what would be refused here.
      if (now.free) {
        await checkHeldVersions(run, preview);
        await refuseWhilePaused(run, preview);
      }
      return undefined;
    }
    return false;
  };
  const body = async (waitedMs: number): Promise<boolean> => {
    progress.waitedMs = waitedMs;
    const { planAgainAndApply } = await import('./under-lock.ts');
    return await planAgainAndApply(run, meant);
  };
  const applied = await withLock<boolean>({ session, check, settled, body, lockWaitMs, signal }, run.ports);
  if (applied) await (await import('./under-lock.ts')).warnOfNextPlace(run);
}
