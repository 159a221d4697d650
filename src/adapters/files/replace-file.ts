/** Replaces a file as a whole: who reads it sees the old text or the new one. */
import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** @throws Error of Node's, when it cannot be written. */
export function replaceFile(path: string, text: string): void {
  // Prometheus' textfile collector reads names that end with .prom.
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, text, { mode: 0o644, flush: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
