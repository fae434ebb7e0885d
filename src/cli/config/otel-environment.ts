import { readPairs } from '../../tracing/tracing-pairs.ts';

/** A setting by its path in the settings file, what it is set to, and the variable that says so. */
export type OtelSetting = readonly [setting: string, set: { readonly value: unknown; readonly name: string }];

/** What OpenTelemetry's variables say, and what is wrong with them, a line each. */
export interface FromOtelEnvironment {
  readonly settings: readonly OtelSetting[];
  readonly problems: readonly string[];
}

/** The variables that hold a secret, the one for traces first. */
export const otelHeaders = ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_HEADERS'] as const;

/** All that is spoken. */
const protocol = 'http/protobuf';

type Reader = (text: string) => { readonly value: unknown } | { readonly expected: string } | null;

/** Variable → setting; of two for one setting the first holds. Null is said where a variable changes nothing. */
const readers: Readonly<Record<string, readonly [setting: string, read: Reader]>> = {
  OTEL_SDK_DISABLED: ['tracing.disabled', (text) => (text.toLowerCase() === 'true' ? { value: true } : null)],
  OTEL_TRACES_EXPORTER: [
    'tracing.disabled',
    (text) => {
      if (text === 'none') return { value: true };
      return text === 'otlp' ? null : { expected: 'expected otlp or none' };
    },
  ],
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: ['tracing', readProtocol],
  OTEL_EXPORTER_OTLP_PROTOCOL: ['tracing', readProtocol],
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ['tracing.endpoint', (text) => ({ value: text })],
  // https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
  OTEL_EXPORTER_OTLP_ENDPOINT: [
    'tracing.endpoint',
    (text) => ({ value: `${text.replace(/\/$/, '')}/v1/traces` }),
  ],
  OTEL_TRACES_SAMPLER: ['tracing.sampler', (text) => ({ value: text })],
  OTEL_TRACES_SAMPLER_ARG: [
    'tracing.sample_ratio',
    (text) => ({ value: Number.isNaN(Number(text)) ? text : Number(text) }),
  ],
  OTEL_SERVICE_NAME: ['tracing.service_name', (text) => ({ value: text })],
  OTEL_RESOURCE_ATTRIBUTES: [
    'tracing.attributes',
    (text) => {
      const pairs = readPairs(text);
      return pairs === null ? { expected: 'expected name=value,name=value' } : { value: pairs };
    },
  ],
};

/** Others of OpenTelemetry's variables are not ours, and ignored; an empty one counts as not set. */
export function readOtelEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): FromOtelEnvironment {
  const settings = new Map<string, { value: unknown; name: string }>();
  const problems: string[] = [];
  for (const [name, [setting, read]] of Object.entries(readers)) {
    const text = environment[name]?.trim();
    if (!text || settings.has(setting)) continue;
    const said = read(text);
    if (said === null) continue;
    if ('expected' in said) problems.push(`${name}: ${said.expected}`);
    else settings.set(setting, { value: said.value, name });
    // The rest is of no interest then, wrong as it may be.
    if (settings.has('tracing.disabled')) break;
  }
  return { settings: [...settings], problems };
}

function readProtocol(text: string): ReturnType<Reader> {
  return text === protocol ? null : { expected: `expected ${protocol}` };
}
