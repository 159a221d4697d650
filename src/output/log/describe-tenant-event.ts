/** How the events of a run over many schemas are logged. */
import type { TenantEventType } from '../../core/events.ts';
import { failureLine } from '../tenant-lines.ts';
import { counted, seconds } from '../words.ts';
import { describeEvent, type DescriptionsOf } from './describe-event.ts';
import { errorFields, holderFields } from './fields.ts';
import { describeHolder } from '../../core/runner.ts';

export const TENANT_DESCRIPTIONS: DescriptionsOf<TenantEventType> = {
  'tenants.planned': ({ direction, schemas, work, withoutHistory }) => ({
    level: 'info',
    message: 'planned the schemas',
    fields: { direction, schemas, work, withoutHistory },
    detail: `${direction} in ${work} of ${counted(schemas, 'schema')}, ${withoutHistory.length} of them without a history`,
  }),
  'tenants.waiting': ({ schemas, waitedMs, holder }) => ({
    level: 'info',
    message: 'waiting for schemas that other runs work in',
    fields: { schemas, count: schemas.length, waitedMs, ...(holder && { holder: holderFields(holder) }) },
    detail: `${counted(schemas.length, 'schema')}${holder ? `, the first held by ${describeHolder(holder)}` : ''}`,
  }),
  'tenant.event': ({ schema, event }) => {
    const { detail, fields, ...description } = describeEvent(event);
    return {
      ...description,
      fields: { ...fields, schema, event: event.type },
      detail: detail === undefined ? schema : `${schema}: ${detail}`,
    };
  },
  'tenant.done': ({ schema, direction, versions, durationMs }) => ({
    level: 'info',
    message: 'finished a schema',
    fields: { schema, direction, versions, count: versions.length, durationMs },
    detail: `${schema}: ${direction} ${versions.join(', ')} in ${seconds(durationMs)}`,
    alsoOnStdout: true,
  }),
  'tenant.failed': ({ schema, error, again }) => ({
    level: again ? 'warn' : 'error',
    message: 'a schema failed',
    fields: { schema, again, error: errorFields(error) },
    detail: `${schema}: ${failureLine(error)}`,
    alsoOnStdout: true,
  }),
  'tenant.gone': ({ schema }) => ({
    level: 'warn',
    message: 'a schema was dropped meanwhile',
    fields: { schema },
    detail: schema,
    alsoOnStdout: true,
  }),
  'tenants.finished': ({ direction, counts, dryRun, durationMs }) => ({
    level: 'info',
    message: 'done with all schemas',
    fields: { direction, ...counts, dryRun, durationMs },
    detail: `${counted(counts.total, 'schema')} in ${seconds(durationMs)}`,
    alsoOnStdout: true,
  }),
};
