// Answers: what happens while several replicas start at the same moment? Tells it line by line, as their logs say it.
import { runReplica, type LogLine, type Replica } from './runner.ts';
import { duration, Timeline } from './screen.ts';

export interface WaveOptions {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly longestVersion: number;
}

/** A step that takes longer than this is told while it runs, not only when it is done. */
const tellAfterMs = 300;

export async function runWave(names: readonly string[], options: WaveOptions): Promise<Replica[]> {
  const { args, env, signal, longestVersion } = options;
  const timeline = new Timeline(names);
  return await Promise.all(
    names.map(async (name) => {
      const teller = new Teller(name, timeline, longestVersion);
      // After Ctrl-C, which reaches the temporary server too, only the exits are told.
      const unlessStopped =
        <T>(tell: (what: T) => void) =>
        (what: T): void => {
          if (!signal.aborted) tell(what);
        };
      const replica = await runReplica(name, {
        args,
        env,
        signal,
        onLine: unlessStopped((line: LogLine) => teller.tell(line)),
        onText: unlessStopped((text: string) => timeline.tell(name, text, 'red')),
      });
      teller.end();
      const exit = typeof replica.exit === 'number' ? `exit code ${replica.exit}` : replica.exit;
      if (replica.exit !== 0) timeline.tell(name, `left, ${exit}`, signal.aborted ? 'yellow' : 'red');
      return replica;
    }),
  );
}

/** Puts one replica's log into words. */
class Teller {
  readonly #name: string;
  readonly #timeline: Timeline;
  readonly #width: number;
  #waitsFor: string | undefined;
  #isHolder = false;
  #soon: NodeJS.Timeout | undefined;

  constructor(name: string, timeline: Timeline, width: number) {
    this.#name = name;
    this.#timeline = timeline;
    this.#width = width;
  }

  tell(line: LogLine): void {
    const { version = '', durationMs = 0, count = 0, text = '', error } = line;
    switch (line.event) {
      case 'lock.waiting':
        this.#tellWaiting(line);
        return;
      case 'lock.acquired':
        this.#isHolder = true;
        this.#say('holds the lock', ['green', 'bold']);
        return;
      case 'run.planned':
        this.#say(`has ${count} migrations to apply`);
        return;
      case 'hook.started':
        this.#say(`hook      ${version}: runs before the migration`);
        return;
      case 'migration.started':
        this.end();
        this.#soon = setTimeout(() => this.#say(`applying  ${version}`, 'yellow'), tellAfterMs);
        return;
      case 'migration.applied':
        this.end();
        this.#say(`applied   ${version.padEnd(this.#width)}  ${duration(durationMs).padStart(7)}`, 'green');
        return;
      case 'migration.all-skipped':
        this.#say(`skips all ${count}: already applied`, 'cyan');
        return;
      case 'run.finished':
        if (this.#isHolder) this.#say(`done: ${count} migrations applied, the lock is free`);
        return;
      case 'run.failed':
        this.end();
        this.#say(`failed: ${error?.summary ?? line.msg}${error === undefined ? '' : ` (${error.code})`}`, 'red');
        if (error?.next !== undefined) this.#say(`        ${error.next}`, 'red');
        return;
      default:
        if (line.level === 'warn')
          this.#say([line.msg, version, error?.summary ?? text].filter((part) => part !== '').join(': '), 'yellow');
    }
  }

  /** Nothing more is to be told of the step that runs. */
  end(): void {
    clearTimeout(this.#soon);
  }

  /** Once for each holder, not for each look at the lock. */
  #tellWaiting({ holder }: LogLine): void {
    const name = holder === undefined ? 'the lock' : nameOf(holder);
    if (name === this.#waitsFor) return;
    this.#waitsFor = name;
    this.#say(`waits for ${name}`, 'yellow');
  }

  #say(text: string, style?: Parameters<Timeline['tell']>[2]): void {
    this.#timeline.tell(this.#name, text, style);
  }
}

/** The pod in `lockstep up 0.1.0 web-2`; whatever else may hold the lock is told as it is. */
function nameOf({ pid, applicationName }: { readonly pid: number; readonly applicationName: string }): string {
  return /^lockstep \S+ \S+ (.+)$/.exec(applicationName)?.[1] ?? `"${applicationName}" (pid ${pid})`;
}
