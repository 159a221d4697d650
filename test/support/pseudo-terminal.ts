/** Runs the built command line on a terminal of 80 columns, which `script` of util-linux makes. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

import { within } from './bounded.ts';
import { lockstepCommand } from './cli.ts';

/** What clears a line (ECMA-48: CR, EL). */
export const CLEAR = '\r\u001b[2K';

export interface TerminalRun {
  /** All that was written to the terminal so far. */
  readonly written: () => string;
  /** Resolves when that holds `text`. Bounded. */
  readonly shows: (text: string) => Promise<void>;
  readonly press: (keys: string) => void;
  readonly ended: Promise<{ readonly code: number | null; readonly screen: readonly string[] }>;
  readonly kill: () => void;
}

/** Others than util-linux's take other options. */
export function hasPseudoTerminals(): boolean {
  const { status, stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' });
  return status === 0 && stdout.includes('util-linux');
}

/** `piped` is a shell's end of the command, as `| cat`. */
export function startOnTerminal(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  piped = '',
): TerminalRun {
  const words = [...lockstepCommand(), ...args].map((word) => `'${word}'`).join(' ');
  const command = `stty cols 80 rows 24; ${piped === '' ? 'exec ' : ''}${words} ${piped}`;
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
    env: { SHELL: '/bin/sh', TERM: 'xterm', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let written = '';
  const watchers = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written += text;
    for (const watcher of watchers) watcher();
  });
  const closed = (once(child, 'close') as Promise<[number | null]>).then(([code]) => ({
    code,
    screen: screenOf(written),
  }));
  return {
    written: () => written,
    shows: (text) =>
      within(
        new Promise<void>((resolve) => {
          const look = (): void => {
            if (written.includes(text)) resolve();
          };
          watchers.add(look);
          look();
        }),
        () => `${JSON.stringify(text)} on the terminal; there was:\n${written}`,
      ),
    press: (keys) => void child.stdin.write(keys),
    ended: within(closed, () => `lockstep ${args.join(' ')} to end; the terminal has:\n${written}`),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** What can be read on it at the end: lines that were cleared are gone. Without colors. */
function screenOf(written: string): string[] {
  const lines = written.replaceAll(/\u001b\[\d*m/g, '').split('\n');
  return lines.map((line) => {
    const last = line.slice(line.lastIndexOf(CLEAR) + 1).replace(CLEAR.slice(1), '');
    return last.replace(/\r$/, '').trimEnd();
  });
}
