import { createTraceState, type SpanContext, TraceFlags } from '@opentelemetry/api';

/** What a caller says of its trace (https://www.w3.org/TR/trace-context/), as it came; empty for nothing. */
export interface TraceHeaders {
  readonly traceparent: string;
  readonly tracestate: string;
}

/** Which traces are recorded. */
export interface Sampling {
  /** Whether a caller that has a trace decides for it. */
  readonly isParentBased: boolean;
  /** The part of all others, 0 up to 1. */
  readonly ratio: number;
}

/** The values of `OTEL_TRACES_SAMPLER`; https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
export const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** @param ratio of the samplers that have one */
export function samplingOf(sampler: (typeof samplers)[number], ratio: number): Sampling {
  const isParentBased = sampler.startsWith('parentbased_');
  if (sampler.endsWith('always_on')) return { isParentBased, ratio: 1 };
  return { isParentBased, ratio: sampler.endsWith('always_off') ? 0 : ratio };
}

/** Version, trace, span and flags; versions to come may say more after them (section 3.2.2 and 4.3). */
const traceparentForm =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|(?<!^00.{53})-)/;
const traceparentLengthMax = 256;

/** Whether these name a trace; what does not is as if it were not there (section 4.3). */
export function isTraceparent(text: string): boolean {
  return text.length <= traceparentLengthMax && traceparentForm.test(text);
}

/** These, where they name a trace; null where they do not. */
export function named(headers: TraceHeaders | null): TraceHeaders | null {
  return headers !== null && isTraceparent(headers.traceparent) ? headers : null;
}

/** @param traceparent one that {@link isTraceparent} */
export function isSampledBy(traceparent: string): boolean {
  return (flagsOf(traceparent) & TraceFlags.SAMPLED) !== 0;
}

/** A part of all traces, the same on every replica: 52 of the 56 bits decide that W3C says are random, the last. */
export function isInRatio(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}

export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}

/** @param headers of which `traceparent` is one that {@link isTraceparent} */
export function parentOf({ traceparent, tracestate }: TraceHeaders): SpanContext {
  return {
    traceId: traceIdOf(traceparent),
    spanId: traceparent.slice(36, 52),
    traceFlags: flagsOf(traceparent),
    isRemote: true,
    ...(tracestate !== '' && { traceState: createTraceState(tracestate) }),
  };
}

function flagsOf(traceparent: string): number {
  return Number.parseInt(traceparent.slice(53, 55), 16);
}
