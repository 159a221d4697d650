/**
 * The process: arguments, environment, signals, exit code. Nothing else touches `process`.
 * It imports the rest when it listens to signals already: as PID 1, a signal that nobody listens to is lost.
 */
import { hostname, totalmem } from 'node:os';

import { NEWER_NODE, nodeProblem } from './core/node-version.ts';
import type { ProcessContext } from './app/process-context.ts';

const argv = process.argv.slice(2);

const tooOld = nodeProblem(process.versions.node);
// Before anything that an old Node may not have.
if (tooOld !== undefined) {
  reportPlainly({ code: 'CONFIG_INVALID', exit: 20, summary: tooOld, next: NEWER_NODE }, 'this Node is too old');
  process.exit(20);
}

const interrupted = new AbortController();

const context: ProcessContext = {
  env: { ...process.env },
  home: process.env['HOME'],
  hostname: hostname(),
  stdout: process.stdout,
  stderr: process.stderr,
  terminal: process.stderr.isTTY,
  // A dumb one cannot clear a line.
  ...(process.stdout.isTTY &&
    process.stderr.isTTY &&
    process.env['TERM'] !== 'dumb' && {
      screen: {
        columns: () => process.stdout.columns || 80,
        atExit: (restore) => process.once('exit', restore),
      },
    }),
  signal: interrupted.signal,
  // Without a limit it is 0, or more than any machine has.
  memoryLimit: () => (inRange(process.constrainedMemory()) ? process.constrainedMemory() : undefined),
};

function inRange(bytes: number): boolean {
  return bytes > 0 && bytes < totalmem();
}

async function main(): Promise<number> {
  try {
    const { start } = await import('./start.ts');
    return await start(argv, context, Math.min(process.stdout.columns || 80, 120));
  } catch (cause) {
    return await fail(cause);
  }
}

async function fail(cause: unknown): Promise<number> {
  const { reportUncaught } = await import('./start.ts');
  return await reportUncaught(cause, argv, context);
}

async function exit(code: number): Promise<never> {
  // What was written last may still be on its way where a pipe is slow.
  for (const stream of [process.stdout, process.stderr])
    await new Promise<unknown>((resolve) => stream.write('', resolve));
  // To take Node apart first takes longer than to ask the server.
  process.exit(code);
}

/** The first signal ends the run in order; a second one ends the process. */
function onSignal(signal: 'SIGINT' | 'SIGTERM'): void {
  if (interrupted.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143);
  interrupted.abort(signal);
}

/** What nobody caught is a bug of ours; it is told like every other failure, and is never taken for success. */
function onBug(cause: unknown): void {
  const exit = (): never => process.exit(1);
  fail(cause).catch(remainingOutput).then(exit, exit);
}

/** What tells a failure cannot be loaded: a file of the installation is gone, say. */
function remainingOutput(cause: unknown): void {
  const summary = cause instanceof Error ? cause.message : String(cause);
  reportPlainly({ code: 'INTERNAL', exit: 1, summary, next: 'install Lockstep again' }, 'the installation is damaged');
}

function reportPlainly(
  error: { readonly code: string; readonly exit: number; readonly summary: string; readonly next: string },
  why: string,
): void {
  const line = { time: new Date().toISOString(), level: 'error', msg: 'failed', event: 'run.failed', error };
  const text = `error: ${error.summary} (${error.code})\nwhy:   ${why}\nnext:  ${error.next}`;
  process.stderr.write(`${logFormat() === 'json' ? JSON.stringify(line) : text}\n`);
}

/** Found without the reader of the command line, which cannot be loaded here. */
function logFormat(): string {
  const flag = /(?:^| )--log-format[ =](text|json)(?: |$)/.exec(argv.join(' '));
  const said = flag ? flag[1] : process.env['LOCKSTEP_LOG_FORMAT'];
  return said === 'text' || said === 'json'
    ? said
    : process.stderr.isTTY || process.env['CI'] === 'true'
      ? 'text'
      : 'json';
}

// A reader that went away (`lockstep up | head`) must not end a migration.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
// Whoever sees it may send a signal.
process.title = 'lockstep';
process.on('uncaughtException', onBug);
process.on('unhandledRejection', onBug);
process.on('beforeExit', () => onBug(new Error('nothing is left to wait for, but the command has not ended')));
// No await here: Bun never comes to beforeExit where that of a module never ends.
main().then(exit, onBug);
