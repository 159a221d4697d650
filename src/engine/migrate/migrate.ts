/** `up` and `down`: preview → lock → read again → plan again → apply → outcome. What is done under the lock is in under-lock.ts. */
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
import { checkHeldVersions, pause, plan, stepsMeant, type MigrateOptions, type MigratePorts, type Run } from './run.ts';

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

/** What is rolled back already is to be held, too. */
function holdsMore({ options: { request } }: Run): boolean {
  return request.direction === 'down' && request.hold === true;
}

/** From its first run on a release is known, also when nothing was pending. Best effort: without the right to write it is not. */
async function noteRelease({ session, options: { request } }: Run, { journal, writesRefused }: Check): Promise<void> {
  if (request.direction === 'down' || journal?.releaseSeen !== false || writesRefused) return;
  await session.journal.noteRelease().catch(() => undefined);
}

/** Reads the files while the server lets us in. What is wrong with them is told at once, and then nothing of the server. */
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
  // Nobody waits for it yet.
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

/** The plan made before the lock is a preview: it fails early, and lets replicas leave without the lock. */
async function planThenLock(run: Run, check: Check): Promise<void> {
  const { migrations, session, progress, options } = run;
  const { lockWaitMs, signal, dryRun } = options;
  const { direction } = options.request;
  const meant = stepsMeant(run, check.history);
  const settled = async (now: Check): Promise<true | undefined> => {
    progress.sees(pendingVersions(migrations, now.history.applied));
    // While others roll back, a plan made now is about a state that will not last; nor does it for a rollback while others apply.
    const lasts = now.free || (direction === 'up' && now.holder !== undefined && onlyAddsToHistory(now.holder));
    if (!lasts && !dryRun) return undefined;
    const inPart = now.journal?.inPart ?? [];
    const preview = await plan(run, now.history, inPart);
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
      // Whoever holds the lock may be mending it.
      if (now.free) await checkHeldVersions(run, preview);
      if (now.free) await pause(run, preview);
      return undefined;
    }
    return true;
  };
  const body = async (waitedMs: number): Promise<true> => {
    progress.waitedMs = waitedMs;
    const { planAgainAndApply } = await import('./under-lock.ts');
    await planAgainAndApply(run, meant);
    return true;
  };
  await withLock<true>({ session, check, settled, body, lockWaitMs, signal }, run.ports);
}
