/** Does what was proved fail the command, and is the kept schema what the migrations make? */
import type { Catalog } from '../../core/catalog/catalog.ts';
import { describeDifference, describeLeft } from '../../core/catalog/describe.ts';
import { MigratorError } from '../../core/errors.ts';
import type { ProvedVersion, ProveReport } from '../../core/reports.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { compareCatalogs } from '../drift/compare-catalogs.ts';

/** @param strict A version without a way back fails, too. */
export function reportOf(versions: readonly ProvedVersion[], strict: boolean): ProveReport {
  const failing = versions.filter(({ way }) => way === 'different' || way === 'failed' || (strict && way !== 'proved'));
  if (failing.length === 0) return { versions };
  const error = new MigratorError(
    'NOT_PROVEN',
    `${failing.length} of ${versions.length} versions have no proven way back`,
    {
      problems: failing.flatMap(describeProved),
      hint: 'correct the down files; what cannot be brought back is marked with -- lockstep: irreversible',
    },
  );
  return { versions, error };
}

function describeProved({ version, way, failure, differences }: ProvedVersion): string[] {
  if (way === 'none') return [`${version}: has no down file`];
  if (way === 'irreversible') return [`${version}: is irreversible`];
  return [
    ...differences.filter(({ note }) => note !== true).map(describeLeft),
    ...(failure ? [`${failure.file}: ${failure.summary}`] : []),
  ];
}

/** With what the kept schema differs from the migrations, which fails too; a sentence for one that cannot be read. */
export async function checkKept(
  report: ProveReport,
  { kept, catalog }: { readonly kept: Catalog | string; readonly catalog: Catalog },
  parser: SqlParser,
): Promise<ProveReport> {
  const differences = typeof kept === 'string' ? [] : await compareCatalogs(kept, catalog, parser);
  const problems =
    typeof kept === 'string'
      ? [kept]
      : differences.filter(({ note }) => note !== true).map((one) => describeDifference(one));
  if (problems.length === 0) return { ...report, kept: differences };
  const error = new MigratorError('NOT_PROVEN', 'the kept schema is not what the migrations make', {
    problems,
    hint: 'run "lockstep prove --write", and commit the file with the migrations',
  });
  return { ...report, kept: differences, error: report.error ?? error };
}
