/** Tells what has happened as soon as there is nothing else to do: while the server works on the next migration, say. */
import type { MigratorEvent } from '../../core/events.ts';
import type { Reporter } from '../../core/ports.ts';
import { boundedWords } from '../../core/server-words.ts';

export interface DeferredReporter extends Reporter {
  /** Tells at once what is not told yet. */
  flush(): void;
}

/** More are told at once: a server or a hook may send them faster than they are written. */
const MOST_UNTOLD = 100;

export function deferReports(reporter: Reporter): DeferredReporter {
  let pending: MigratorEvent[] = [];
  const flush = (): void => {
    const events = pending;
    pending = [];
    for (const event of events) reporter.report(event);
  };
  return {
    report(event) {
      if (pending.length === 0) setImmediate(flush);
      pending.push(event.type === 'hook.log' ? { ...event, message: boundedWords(event.message) } : event);
      if (pending.length >= MOST_UNTOLD) flush();
    },
    flush,
  };
}
