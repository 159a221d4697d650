/** What the rules of `validate` say about what a dry run would apply, with the tables as the server knows them. */
import type { Version } from '../../core/migration.ts';
import type { FindingOnServer, TableInUse } from '../../core/outcome.ts';
import type { Session } from '../../core/ports.ts';
import { Directory } from '../../core/rules/directory.ts';
import { findingsOfRules, type Found } from '../../core/rules/findings.ts';
import type { RelationName } from '../../core/sql/script-plan.ts';
import { analyze } from '../apply/analyze.ts';
import type { PlannedStep } from '../apply/planned-step.ts';
import type { Run } from './run.ts';

/** Reads the applied files too, because the rules know what they have made. */
export async function findPending(
  { migrations, ports }: Run,
  steps: readonly PlannedStep[],
): Promise<ReadonlyMap<Version, readonly Found[]>> {
  const planned = new Set(steps.flatMap(({ step }) => (step.direction === 'up' ? step.version : [])));
  const found = new Map<Version, readonly Found[]>();
  const directory = new Directory();
  for (const { version, up } of migrations) {
    if (found.size === planned.size) break;
    const pending = planned.has(version);
    directory.begin({ direction: 'up', pending });
    const { parsed } = await analyze(up, 'up', ports.parser);
    const findings = parsed
      ? findingsOfRules({ ...parsed, direction: 'up', reversible: true }, new Map(), directory)
      : [];
    if (pending) found.set(version, findings);
  }
  return found;
}

/** Whether it is about what will run, of a version in part. */
export function isLeft({ statement }: Found, from: number): boolean {
  return statement === undefined || statement.offset >= from;
}

export async function onServer(session: Session, findings: readonly Found[]): Promise<readonly FindingOnServer[]> {
  const reported: FindingOnServer[] = [];
  for (const { subject: _, statement, ...finding } of findings)
    reported.push({ ...finding, tables: await tablesInUse(session, statement?.relations ?? []) });
  return reported;
}

async function tablesInUse({ executor }: Session, relations: readonly RelationName[]): Promise<readonly TableInUse[]> {
  if (relations.length === 0) return [];
  const sizes = await executor.tableSizes(relations);
  const tables = new Map<string, TableInUse>();
  for (const size of sizes) {
    if (!size) continue;
    const { schema, name } = size;
    const key = JSON.stringify([schema, name]);
    if (tables.has(key)) continue;
    const blockers = await executor.blockersOf([{ relations: [{ schema, name }] }]);
    tables.set(key, { ...size, usedBy: blockers.map(({ query: _, ...session }) => session) });
  }
  return [...tables.values()];
}
