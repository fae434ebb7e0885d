import { type Authorize, type Decision, deny } from '../../check/authorize.ts';
import type { AccessRequest } from '../../check/request.ts';
import { plainUpstream, type Upstream } from '../../check/upstream.ts';
import type { Reason } from '../../schemes/answer.ts';
import type { Scheme } from '../../schemes/scheme.ts';
import { beginCheck, endDecided, endFailed } from '../../telemetry/tracing-check.ts';
import type { CallSpan, Tracing } from '../../tracing/tracing.ts';
import type { TraceHeaders } from '../../tracing/tracing-context.ts';
import { bodyBytes } from './body-bytes.ts';
import { type CheckRequest, createCheckReader } from './check-request.ts';
import { CheckUnavailable, createCheckWriter, type UnavailableAs } from './check-response.ts';

const noTrace: TraceHeaders = { traceparent: '', tracestate: '' };

export interface CheckDependencies {
  readonly authorize: Authorize;
  /** The scheme that speaks where a request could not be read. */
  readonly fallbackScheme: () => Scheme;
  /** What the upstream is told now; by default the five headers that name its key. */
  readonly upstream?: () => Upstream;
  /** Told of every decision, how long it took, and its span where it has one, once each; must not throw. */
  readonly onDecision: (
    decision: Decision,
    request: AccessRequest | null,
    durationMs: number,
    span: CallSpan | null,
  ) => void;
  /** Told of what should not have happened; must not throw. */
  readonly onBroken: (error: unknown) => void;
  readonly unavailableAs: UnavailableAs;
  /** Null, the default, where nothing is traced. */
  readonly tracing?: Tracing | null;
  /** A CheckRequest that is longer without its body is answered as unavailable, and never allowed. Default 1 MiB. */
  readonly requestBytesMax?: number;
  /** Which header has the caller's address, in lower case; the peer's address counts where it is null, the default. */
  readonly addressHeader?: string | null;
}

/**
 * What the transport has to take in, so that a long request is denied and not failed: Envoy's headers end at 8 MiB,
 * and as much again is left for a body.
 */
export const CHECK_BYTES_MAX = 16 * 1_024 * 1_024;

/**
 * One Check from bytes to bytes, at once where memory can answer. The bytes that are given may be used again as
 * soon as it returns; those that are answered must not be written to, and hold, where they are given at once, until the
 * next Check. Rejects with `CheckUnavailable` alone;
 * whatever else goes wrong is answered as a denial, since Envoy may be set to allow requests on an error.
 * `caller` is the trace that Envoy names.
 */
export type Answer = (bytes: Uint8Array, caller?: TraceHeaders) => Uint8Array | Promise<Uint8Array>;

export function createAnswer(dependencies: CheckDependencies): Answer {
  const { authorize, fallbackScheme, onDecision, onBroken, unavailableAs } = dependencies;
  const { requestBytesMax = 1_048_576, tracing = null, upstream = () => plainUpstream } = dependencies;
  const read = createCheckReader(dependencies.addressHeader);
  const writer = createCheckWriter(unavailableAs, upstream);

  return (bytes, caller = noTrace) => {
    const started = performance.now();
    let request: CheckRequest | null;
    try {
      // Nobody's key is at fault.
      if (bytes.length > requestBytesMax && bytes.length - bodyBytes(bytes) > requestBytesMax)
        return refuse('unavailable', started, begin(caller, null));
      request = read(bytes);
    } catch {
      return refuse('malformed', started, begin(caller, null));
    }
    const span = begin(caller, request);
    if (request === null) return refuse('missing', started, span);
    try {
      const decision = span === null ? authorize(request) : authorizeWithin(span, request);
      if (!(decision instanceof Promise)) return told(decision, request, started, span);
      request.keep();
      return later(decision, request, started, span);
    } catch (error) {
      return broken(error, request, started, span);
    }
  };

  function begin(caller: TraceHeaders, request: CheckRequest | null): CallSpan | null {
    return tracing === null ? null : beginCheck(tracing, caller, request);
  }

  function authorizeWithin(span: CallSpan, request: CheckRequest): Decision | Promise<Decision> {
    return span.within(() => authorize(request));
  }

  async function later(
    decision: Promise<Decision>,
    request: CheckRequest,
    started: number,
    span: CallSpan | null,
  ): Promise<Uint8Array> {
    // Another Check may be answered before this one is sent.
    try {
      return Buffer.from(told(await decision, request, started, span));
    } catch (error) {
      return Buffer.from(await broken(error, request, started, span));
    }
  }

  function told(
    decision: Decision,
    request: CheckRequest,
    started: number,
    span: CallSpan | null,
  ): Uint8Array {
    const answer = writer.decided(decision, request);
    onDecision(decision, request, performance.now() - started, span);
    if (span !== null) endDecided(span, decision);
    return answer;
  }

  function broken(
    error: unknown,
    request: CheckRequest,
    started: number,
    span: CallSpan | null,
  ): Uint8Array | Promise<Uint8Array> {
    if (error instanceof CheckUnavailable) {
      if (span !== null) endFailed(span);
      return Promise.reject(error);
    }
    onBroken(error);
    return refuse('unavailable', started, span, request);
  }

  function refuse(
    reason: Reason,
    started: number,
    span: CallSpan | null,
    request: CheckRequest | null = null,
  ): Uint8Array {
    const decision = deny(reason, fallbackScheme(), null);
    onDecision(decision, null, performance.now() - started, span);
    if (span !== null) endDecided(span, decision);
    return writer.denied(decision, request);
  }
}
