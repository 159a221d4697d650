/** Notices that the contents of a secret file have changed. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ConnectionSettings } from './connection-settings.ts';
import { contentsOf } from './secret-file.ts';

/** How often the files are checked. */
const LOOK_MS = 100;

export class SecretWatch {
  #files: readonly string[] = [];
  #contents = '';

  /** Call it before the files are read. */
  look({ passwordFile, passfile, addressFile }: Partial<ConnectionSettings>): void {
    this.#files = [passwordFile, passfile?.path, addressFile].filter((path) => path !== undefined);
    this.#contents = contentsOf(this.#files);
  }

  /** Resolves when a file has changed since `look()`, or when the signal aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    if (this.#files.length === 0 && !signal.aborted) await once(signal, 'abort');
    const [files, contents] = [this.#files, this.#contents];
    while (!signal.aborted && contentsOf(files) === contents)
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
