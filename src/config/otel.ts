/** Where do spans go, by the standard variables of OpenTelemetry? (Its specification, "OTLP Exporter" and "SDK".) */
import type { Environment } from './settings.ts';

export interface TracesConfig {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** A file with certificates in PEM. */
  readonly certificate?: string | undefined;
  /** Attributes of the resource. */
  readonly resource: Readonly<Record<string, string>>;
  /** The span of whoever started this run. */
  readonly parent?: { readonly traceId: string; readonly spanId: string } | undefined;
  readonly traceState?: string | undefined;
}

const DEFAULT_ENDPOINT = 'http://localhost:4318';
const DEFAULT_TIMEOUT_MS = 10_000;

/** Undefined where no spans are wanted; a problem where they cannot be sent. Values are not quoted in it. */
export function tracesConfig(env: Environment): TracesConfig | { readonly problem: string } | undefined {
  const get = (name: string): string | undefined => env[`OTEL_${name}`]?.trim() || undefined;
  const otlp = (name: string): string | undefined =>
    get(`EXPORTER_OTLP_TRACES_${name}`) ?? get(`EXPORTER_OTLP_${name}`);
  const exporters = (get('TRACES_EXPORTER') ?? 'otlp').split(',').map((name) => name.trim());
  const caller = callerOf(env['TRACEPARENT']);
  if (get('SDK_DISABLED')?.toLowerCase() === 'true' || !exporters.includes('otlp') || caller?.sampled === false)
    return undefined;
  const url = URL.parse(endpointOf(get));
  if (!url || !/^https?:$/.test(url.protocol))
    return { problem: 'OTEL_EXPORTER_OTLP_ENDPOINT is no address of http or https' };
  if (otlp('PROTOCOL') === 'grpc' || url.port === '4317')
    return { problem: 'spans are sent by HTTP only: set OTEL_EXPORTER_OTLP_ENDPOINT to port 4318, without grpc' };
  return {
    url,
    headers: pairsOf(otlp('HEADERS')),
    timeoutMs: timeoutOf(otlp('TIMEOUT')),
    certificate: otlp('CERTIFICATE'),
    resource: resourceOf(get),
    parent: caller,
    traceState: caller && (env['TRACESTATE']?.trim() || undefined),
  };
}

function timeoutOf(text: string | undefined): number {
  const ms = Number(text);
  return ms > 0 && Number.isFinite(ms) ? ms : DEFAULT_TIMEOUT_MS;
}

function resourceOf(get: (name: string) => string | undefined): TracesConfig['resource'] {
  const name = get('SERVICE_NAME');
  return {
    'service.name': 'lockstep',
    ...pairsOf(get('RESOURCE_ATTRIBUTES')),
    ...(name !== undefined && { 'service.name': name }),
  };
}

/** The variable for traces is the whole address; the one for all signals gets the path of traces. */
function endpointOf(get: (name: string) => string | undefined): string {
  const traces = get('EXPORTER_OTLP_TRACES_ENDPOINT');
  return traces ?? `${(get('EXPORTER_OTLP_ENDPOINT') ?? DEFAULT_ENDPOINT).replace(/\/+$/, '')}/v1/traces`;
}

/** `a=1,b=2`, with percent-encoding; what is malformed is left out. */
function pairsOf(text = ''): Record<string, string> {
  const pairs = text.split(',').flatMap((part): [string, string][] => {
    const at = part.indexOf('=');
    const name = part.slice(0, Math.max(0, at)).trim();
    if (name === '') return [];
    try {
      return [[decodeURIComponent(name), decodeURIComponent(part.slice(at + 1).trim())]];
    } catch {
      return [];
    }
  });
  return Object.fromEntries(pairs);
}

/** W3C Trace Context, "traceparent"; undefined where it is none. */
function callerOf(
  text = '',
): { readonly traceId: string; readonly spanId: string; readonly sampled: boolean } | undefined {
  const [, version, traceId = '', spanId = '', flags = '', rest] =
    /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(text.trim()) ?? [];
  const isValid = version !== undefined && version !== 'ff' && (version !== '00' || rest === undefined);
  if (!isValid || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
