/** Notices that a file has another secret in it than before. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ConnectionSettings } from './connection-settings.ts';
import { contentsOf } from './secret-file.ts';

/** How often the files are looked at. */
const LOOK_MS = 100;

export class SecretWatch {
  #files: readonly string[] = [];
  #contents = '';

  /** To be called before the files are read. */
  look({ passwordFile, passfile, addressFile }: Partial<ConnectionSettings>): void {
    this.#files = [passwordFile, passfile?.path, addressFile].filter((path) => path !== undefined);
    this.#contents = contentsOf(this.#files);
  }

  /** Resolves when a file has another content than at the last look, or when the signal aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    if (this.#files.length === 0 && !signal.aborted) await once(signal, 'abort');
    const [files, contents] = [this.#files, this.#contents];
    while (!signal.aborted && contentsOf(files) === contents)
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
