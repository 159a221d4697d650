/** The files as `validate` reads them: problems of names are reported beside all others. */
import type { FileProblem } from '../file-names.ts';
import type { MigrationSet, MigrationSource } from '../ports.ts';

export interface ReviewSource extends MigrationSource {
  /** What can be read, and what cannot. */
  readWithProblems(): Promise<ReviewSet>;
}

export interface ReviewSet extends MigrationSet {
  readonly problems: readonly FileProblem[];
}
