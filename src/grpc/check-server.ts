import type { Reason } from '../answer.ts';
import { type Authorize, type Decision, deny } from '../authorize.ts';
import type { AccessRequest } from '../request.ts';
import type { Scheme } from '../scheme.ts';
import { type CheckRequest, createCheckReader } from './check-request.ts';
import { CheckUnavailable, createCheckWriter, type UnavailableAs } from './check-response.ts';

export interface CheckDependencies {
  readonly authorize: Authorize;
  /** The scheme that speaks where a request could not be read. */
  readonly fallbackScheme: Scheme;
  /** Told of every decision and how long it took, once each; must not throw. */
  readonly onDecision: (decision: Decision, request: AccessRequest | null, durationMs: number) => void;
  /** Told of what should not have happened; must not throw. */
  readonly onBroken: (error: unknown) => void;
  readonly unavailableAs: UnavailableAs;
  /** A longer CheckRequest is malformed. Default 1 MiB. */
  readonly requestBytesMax?: number;
}

/** What the transport has to take in, so that a long request is denied and not failed: Envoy's headers end at 8 MiB. */
export const CHECK_BYTES_MAX = 16 * 1_024 * 1_024;

/**
 * One Check from bytes to bytes, at once where memory can answer. The bytes that are given may be used again as
 * soon as it returns; those that are answered must not be written to. Rejects with `CheckUnavailable` alone;
 * whatever else goes wrong is answered as a denial, since Envoy may be set to let requests pass on an error.
 */
export type Answer = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

export function createAnswer(dependencies: CheckDependencies): Answer {
  const { authorize, fallbackScheme, onDecision, onBroken, unavailableAs } = dependencies;
  const { requestBytesMax = 1_048_576 } = dependencies;
  const read = createCheckReader();
  const writer = createCheckWriter(unavailableAs);

  return (bytes) => {
    const started = performance.now();
    if (bytes.length > requestBytesMax) return refuse('malformed', started);
    let request: CheckRequest | null;
    try {
      request = read(bytes);
    } catch {
      return refuse('malformed', started);
    }
    if (request === null) return refuse('missing', started);
    try {
      const decision = authorize(request);
      if (!(decision instanceof Promise)) return told(decision, request, started);
      request.keep();
      return later(decision, request, started);
    } catch (error) {
      return broken(error, started);
    }
  };

  async function later(
    decision: Promise<Decision>,
    request: CheckRequest,
    started: number,
  ): Promise<Uint8Array> {
    try {
      return told(await decision, request, started);
    } catch (error) {
      return broken(error, started);
    }
  }

  function told(decision: Decision, request: CheckRequest, started: number): Uint8Array {
    const answer = writer.decided(decision, request);
    onDecision(decision, request, performance.now() - started);
    return answer;
  }

  function broken(error: unknown, started: number): Uint8Array | Promise<Uint8Array> {
    if (error instanceof CheckUnavailable) return Promise.reject(error);
    onBroken(error);
    return refuse('unavailable', started);
  }

  function refuse(reason: Reason, started: number): Uint8Array {
    const decision = deny(reason, fallbackScheme, null);
    onDecision(decision, null, performance.now() - started);
    return writer.denied(decision);
  }
}
