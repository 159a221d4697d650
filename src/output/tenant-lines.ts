/** What a run over many schemas prints on stdout as it goes. */
import type { MigratorError } from '../core/errors.ts';
import { describeFailure } from '../core/tenants/report.ts';
import { skipLine, type Lines } from './lines-on-stdout.ts';
import { counted } from './words.ts';

/** With the words of the server, which may quote a row: for stdout and the log only. */
export function failureLine(error: MigratorError): string {
  const { server, problems = [] } = error.details;
  return [describeFailure(error), ...(server ? [server.message] : problems)].join(': ');
}

export const TENANT_LINES: Lines = {
  'tenants.planned': ({ withoutHistory }) =>
    withoutHistory.length === 0 ? [] : [`  new, without a history: ${withoutHistory.join(', ')}`],
  'tenant.done': ({ schema, direction, versions }) => [`  ${schema}: ${direction} ${versions.join(', ')}`],
  'tenant.failed': ({ schema, error, again }) => [
    `  ${schema}: ${failureLine(error)}${again ? '; it is tried once more at the end' : ''}`,
  ],
  'tenant.gone': ({ schema }) => [`  ${schema}: it was dropped meanwhile`],
  'tenants.finished': ({ direction, counts: { upToDate, failed, notRun }, dryRun }) => [
    ...(upToDate === 0 ? [] : [skipLine(counted(upToDate, 'schema'), direction)]),
    ...(failed + notRun > 0 || dryRun ? [] : ['Done.']),
  ],
};
