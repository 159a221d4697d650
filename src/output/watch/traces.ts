/** The spans of one run as the JSON of OTLP 1 (opentelemetry-proto, trace/v1): ids in hex, nanoseconds as strings. */
import { describeBriefly } from '../../core/brief-error.ts';
import type { MigratorError } from '../../core/errors.ts';
import type { RunRecord, Span } from '../../core/run-record.ts';
import { VERSION } from '../../core/version.ts';
import type { Ending } from '../termination-message.ts';

type Attributes = Readonly<Record<string, string | number | undefined>>;

export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits; of the caller's span. */
  readonly parentSpanId?: string | undefined;
  readonly traceState?: string | undefined;
  /** Makes an id of 16 hexadecimal digits. */
  readonly newSpanId: () => string;
}

interface SpanFacts extends Span {
  readonly name: string;
  readonly kind: number;
  readonly attributes: Attributes;
  readonly error?: MigratorError | undefined;
}

const INTERNAL = 1;
const CLIENT = 3;
const ERROR = 2;

/** Bits of a span's flags (trace.proto, SpanFlags): sampled; it is known whether the parent is remote; it is. */
const SAMPLED = 0x01;
const KNOWS_PARENT = 0x100;
const PARENT_IS_REMOTE = 0x200;

const MAX_MESSAGE_BYTES = 1024;

/** `resource` are the attributes of whoever runs. */
export function tracesDocument(
  ending: Ending,
  record: RunRecord,
  { resource, context }: { readonly resource: Attributes; readonly context: TraceContext },
): object {
  const root = context.newSpanId();
  const database = { 'db.system.name': 'postgresql', 'db.namespace': record.database };
  const spans = [
    spanOf(runFacts(ending, record, database), context, { spanId: root, parentSpanId: context.parentSpanId }),
    ...childFacts(record, database).map((facts) =>
      spanOf(facts, context, { spanId: context.newSpanId(), parentSpanId: root }),
    ),
  ];
  return {
    resourceSpans: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeSpans: [{ scope: { name: 'lockstep', version: VERSION }, spans }],
      },
    ],
  };
}

function runFacts(
  { command, outcome, error }: Ending,
  { startedAt, endedAt }: RunRecord,
  database: Attributes,
): SpanFacts {
  return {
    name: `lockstep ${command ?? ''}`.trim(),
    kind: INTERNAL,
    startedAt,
    endedAt,
    error,
    attributes: {
      ...database,
      'process.exit.code': error?.exit ?? 0,
      'lockstep.migrations.done': outcome?.done.length,
      'lockstep.migrations.pending': outcome?.pending.length,
    },
  };
}

function childFacts({ lockWait, steps }: RunRecord, database: Attributes): SpanFacts[] {
  return [
    ...(lockWait ? [{ name: 'lock wait', kind: INTERNAL, attributes: database, ...lockWait }] : []),
    ...steps.map(({ version, direction, ...span }) => ({
      ...span,
      name: `${direction} ${version}`,
      kind: CLIENT,
      attributes: { ...database, 'lockstep.migration.version': version, 'lockstep.migration.direction': direction },
    })),
  ];
}

function spanOf(
  { name, kind, startedAt, endedAt, attributes, error }: SpanFacts,
  { traceId, traceState, parentSpanId: caller }: TraceContext,
  ids: { readonly spanId: string; readonly parentSpanId?: string | undefined },
): object {
  const remote = ids.parentSpanId !== undefined && ids.parentSpanId === caller ? PARENT_IS_REMOTE : 0;
  return {
    traceId,
    spanId: ids.spanId,
    ...(traceState !== undefined && { traceState }),
    ...(ids.parentSpanId !== undefined && { parentSpanId: ids.parentSpanId }),
    flags: SAMPLED | KNOWS_PARENT | remote,
    name,
    kind,
    startTimeUnixNano: nanoseconds(startedAt),
    endTimeUnixNano: nanoseconds(endedAt),
    attributes: attributesOf({
      ...attributes,
      'error.type': error?.code,
      'db.response.status_code': error?.details.server?.sqlstate,
    }),
    ...(error && { status: { code: ERROR, message: describeBriefly(error, MAX_MESSAGE_BYTES) } }),
  };
}

function nanoseconds(ms: number): string {
  return `${BigInt(Math.round(ms)) * 1_000_000n}`;
}

function attributesOf(attributes: Attributes): object[] {
  return Object.entries(attributes).flatMap(([key, value]) => {
    if (value === undefined) return [];
    // Whole numbers are strings in OTLP's JSON, as 64 bits do not fit into a number.
    return [{ key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } }];
  });
}
