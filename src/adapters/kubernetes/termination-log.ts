/** Writes the termination message, which `kubectl describe pod` and the pod's status show. */
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';

/** Where the kubelet looks, unless the container names another file (terminationMessagePath). */
const USUAL_FILE = '/dev/termination-log';

/**
 * Writes `text` to `file`; without one, to the usual place if it is there and can be written.
 * @throws Error when a file that was asked for cannot be written.
 */
export function writeTerminationLog(text: string, file: string | undefined): void {
  try {
    // Only what was asked for is created. Not waiting is for a pipe that nobody reads.
    const flags =
      constants.O_WRONLY | constants.O_TRUNC | constants.O_NONBLOCK | (file === undefined ? 0 : constants.O_CREAT);
    const handle = openSync(file ?? USUAL_FILE, flags, 0o644);
    try {
      writeFileSync(handle, text);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    if (file !== undefined) throw error;
  }
}
