/** Adds to the summary of a step of GitHub Actions. */
import { appendFileSync } from 'node:fs';

/** `path` is what the runner has put into GITHUB_STEP_SUMMARY. */
export function appendSummary(path: string, markdown: string): void {
  appendFileSync(path, markdown);
}
