/** Delays reports until the event loop is idle, for example while the server works on the next migration. */
import type { MigratorEvent } from '../../core/events.ts';
import type { Reporter } from '../../core/ports.ts';
import { boundedWords } from '../../core/server-words.ts';

export interface DeferredReporter extends Reporter {
  /** Reports everything that is pending, now. */
  flush(): void;
}

/** With more pending, they are reported at once: a server or a hook may send them faster than they are written. */
const MAX_PENDING = 100;

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
      if (pending.length >= MAX_PENDING) flush();
    },
    flush,
  };
}
