/** Converts another tool's migration files; what has no counterpart here is reported, never dropped. */
import { convertMarked } from './marked.ts';
import { convertFlyway, convertGraphileMigrate, convertPrisma } from './named.ts';
import type { ConvertTool } from '../import/foreign-history.ts';
import type { Converted, OldFile } from './converted.ts';

/** Returns every problem of all files, including two files that would get the same name. */
export function convertFiles(tool: ConvertTool, files: readonly OldFile[]): Converted {
  const result = byTool(tool, files);
  const named = Map.groupBy(
    result.converted.flatMap(({ path, files: made }) => made.map(({ name }) => ({ name, path }))),
    ({ name }) => name,
  );
  const twins = [...named]
    .filter(([, from]) => from.length > 1)
    .map(([name, from]) => `${from.map(({ path }) => path).join(' and ')}: both would become ${name}`);
  const problems = [...result.problems, ...twins];
  return { ...result, problems };
}

function byTool(tool: ConvertTool, files: readonly OldFile[]): Converted {
  switch (tool) {
    case 'goose':
    case 'dbmate':
    case 'node-pg-migrate':
      return convertMarked(tool, files);
    case 'flyway':
      return convertFlyway(files);
    case 'prisma':
      return convertPrisma(files);
    case 'graphile-migrate':
      return convertGraphileMigrate(files);
  }
}
