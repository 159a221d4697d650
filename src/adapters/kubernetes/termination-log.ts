/** Writes the termination message, which `kubectl describe pod` and the pod's status show. */
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';

/** The kubelet's default, unless the container sets terminationMessagePath. */
const DEFAULT_FILE = '/dev/termination-log';

/**
 * Writes `text` to `file`; without one, to the default file if it exists and can be written.
 * @throws Error if `file` is set and cannot be written.
 */
export function writeTerminationLog(text: string, file: string | undefined): void {
  try {
    // Only a file that was requested is created. O_NONBLOCK is for a pipe that nobody reads.
    const flags =
      constants.O_WRONLY | constants.O_TRUNC | constants.O_NONBLOCK | (file === undefined ? 0 : constants.O_CREAT);
    const handle = openSync(file ?? DEFAULT_FILE, flags, 0o644);
    try {
      writeFileSync(handle, text);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    if (file !== undefined) throw error;
  }
}
