/** Adds to the summary of a step of GitHub Actions. */
import { appendFileSync } from 'node:fs';

/** Whether it could: `path` is what the runner has put into GITHUB_STEP_SUMMARY, and another user may own it. */
export function appendSummary(path: string, markdown: string): boolean {
  try {
    appendFileSync(path, markdown);
    return true;
  } catch {
    return false;
  }
}
