import { z } from 'zod';
import { type Sampling, samplers, samplingOf } from '../tracing/tracing-context.ts';
import { text } from './setting-forms.ts';

/** How spans are recorded and where they are sent. */
export interface TracingConfig {
  /** Takes OTLP over HTTP, as protobuf. */
  readonly endpoint: URL;
  readonly sampling: Sampling;
  readonly serviceName: string;
  /** What else is said of this process with all of its spans. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Sent with each batch. Secret. */
  readonly headers: Readonly<Record<string, string>>;
}

const urlError = 'expected an http:// or https:// URL without a user and a password';
const ratioError = 'expected a number from 0 to 1';

const endpoint = z
  .string({ error: urlError })
  .meta({ pattern: '^https?://' })
  .transform((given, context): URL => {
    const url = URL.parse(given);
    const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
    if (url !== null && isHttp && url.username === '' && url.password === '') return url;
    context.addIssue(urlError);
    return z.NEVER;
  });

/** A part of something, 0 up to 1. */
export const ratio = z
  .number({ error: ratioError })
  .min(0, { error: ratioError })
  .max(1, { error: ratioError });

/** Which Checks and admin calls are told of to OpenTelemetry, and where. */
export const tracingSpec = z.strictObject({
  endpoint: endpoint
    .optional()
    .describe(
      'Where spans are sent, as OTLP over HTTP: the whole URL (default: nowhere; nothing is traced).',
    ),
  sampler: z
    .enum(samplers)
    .default('parentbased_traceidratio')
    .describe('Which traces are recorded; parentbased ones leave it to a caller that has a trace.'),
  sample_ratio: ratio.default(1).describe('The part that the traceidratio samplers record.'),
  service_name: text(/^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/, 'expected printable ASCII characters')
    .default('postern')
    .describe('What traces call this service.'),
  attributes: z
    .record(text(/^[\x21-\x7e]{1,128}$/, 'expected printable ASCII characters'), z.string().max(256))
    .prefault({})
    .describe('What else is said of this process with all of its spans.'),
  disabled: z.boolean().default(false).describe('Whether nothing is traced after all.'),
});

/** Null where nothing is traced. */
export function tracingOf(
  given: z.output<typeof tracingSpec>,
  headers: Readonly<Record<string, string>>,
): TracingConfig | null {
  if (given.endpoint === undefined || given.disabled) return null;
  return {
    endpoint: given.endpoint,
    sampling: samplingOf(given.sampler, given.sample_ratio),
    serviceName: given.service_name,
    attributes: given.attributes,
    headers,
  };
}
