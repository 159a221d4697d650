// Answers: which migrators written in Go are on the PATH? npm does not have them.
import { spawnSync } from 'node:child_process';
import type { Contender } from './contender.ts';
import { golangMigrate } from './golang-migrate.ts';
import { goose } from './goose.ts';

const programs = [
  { contender: goose, version: ['goose', '-version'] },
  { contender: golangMigrate, version: ['migrate', '-version'] },
] as const;

const found = programs.map(({ contender, version: [program, ...args] }) => ({
  contender,
  there: spawnSync(program, args).status === 0,
}));

export const goPrograms: readonly Contender[] = found.filter(({ there }) => there).map(({ contender }) => contender);

/** A sentence for each that is not. */
export const missingGoPrograms: readonly string[] = found
  .filter(({ there }) => !there)
  .map(({ contender }) => `${contender.name} is not on the PATH, and left out.`);
