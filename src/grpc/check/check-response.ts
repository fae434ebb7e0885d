import type { Decision, Denied } from '../../check/authorize.ts';
import { denialBody, denialHeaders } from '../../check/denial.ts';
import { type CallerKind, callerKind, grpcHeaders, grpcMessage } from '../../check/grpc-denial.ts';
import type { AccessRequest } from '../../check/request.ts';
import { plainUpstream, type Upstream } from '../../check/upstream.ts';
import { rpcStatus as code } from '../../net/rpc.ts';
import type { Reason } from '../../schemes/answer.ts';
import type { Scheme } from '../../schemes/scheme.ts';
import { allowAnyone, allowKey, observe, ok } from './allow-response.ts';
import { BackwardWriter } from './backward-writer.ts';
import { createKeyShapes } from './key-shapes.ts';
import { response, writeHeader, writeMember, writeStatus } from './response-fields.ts';

/** How an `unavailable` is told to Envoy; see `check.unavailable_as` in the settings. */
export type UnavailableAs = 'error_response' | 'denied_response' | 'rpc_error';

/** What Envoy reads as a failed call: for `unavailable_as: rpc_error` alone. */
export class CheckUnavailable extends Error {}

/**
 * Writes the answers to Checks, each into bytes that hold until the next one is written, and must not be written to:
 * they may be answered again. Envoy
 * takes an answer without a status, or one with status OK and a denial in it, for an allow: so there are only the
 * methods below, and each sets both.
 */
export interface CheckWriter {
  /** Throws {@link CheckUnavailable} where that is what Envoy is to be told. */
  decided(decision: Decision, request: AccessRequest): Uint8Array;
  /**
   * A denial in place of an answer that could not be made: never an allow, whatever Envoy's failure mode is. The
   * request is null where it could not be read.
   */
  denied(decision: Denied, request: AccessRequest | null): Uint8Array;
}

/** Tags: field × 8 + wire type, 2 for texts and messages, 0 for numbers. */
const denial = { status: 10, headers: 18, body: 26 } as const;
const httpStatusCode = 8;

/** `error_response` is field 5 of CheckResponse's `http_response` and newer than the protos that we generate from. */
type DenialField = typeof response.denied | typeof response.error;

/** A denial that needs no further work: the same for all that a scheme denies for one reason with one body. */
interface PreparedDenial {
  readonly field: DenialField;
  readonly body: string;
  /** All but the metadata. */
  readonly head: Uint8Array;
  /** Where no key is known: the metadata names the reason alone. */
  readonly whole: Uint8Array;
}

export function createCheckWriter(
  unavailableAs: UnavailableAs,
  upstream: () => Upstream = () => plainUpstream,
): CheckWriter {
  const writer = new BackwardWriter();
  const shapes = createKeyShapes(ok.headers);
  const prepared: Readonly<Record<CallerKind, WeakMap<Scheme, Partial<Record<Reason, PreparedDenial>>>>> = {
    ...{ http: new WeakMap(), grpc: new WeakMap(), 'grpc-web': new WeakMap() },
  };

  return {
    decided(decision, request) {
      writer.clear();
      if (decision.verdict === 'public') return allowAnyone(writer, request, upstream());
      if (decision.verdict === 'allow')
        return allowKey(writer, request, decision, { shapes, upstream: upstream() });
      if (decision.verdict === 'observe')
        return observe(writer, request, decision, { shapes, upstream: upstream() });
      const kind = callerKind(request);
      // An operator's failure mode is for when nobody can be asked, and not for a route that says what it cannot mean.
      const isOutage = decision.reason === 'unavailable' && decision.misconfigured === undefined;
      if (!isOutage || unavailableAs === 'denied_response') return deny(decision, response.denied, kind);
      if (unavailableAs === 'rpc_error') throw new CheckUnavailable('the store cannot be reached');
      // By it an operator's `failure_mode_allow` decides (Envoy 1.37 and later).
      return deny(decision, response.error, kind);
    },
    denied: (decision, request) =>
      deny(decision, response.denied, request === null ? 'http' : callerKind(request)),
  };

  function deny(decision: Denied, field: DenialField, kind: CallerKind): Uint8Array {
    writer.clear();
    const body = kind === 'http' ? denialBody(decision) : grpcMessage(decision);
    if (decision.rate !== null) {
      writeMetadata(writer, decision);
      writeDenial(writer, decision, { field, kind, body });
      return writer.lend();
    }
    const { head, whole } = prepare(decision, { field, kind, body });
    if (decision.key === null && decision.misconfigured === undefined) return whole;
    writeMetadata(writer, decision);
    writer.encoded(head);
    return writer.lend();
  }

  function prepare(decision: Denied, told: Told): PreparedDenial {
    const { scheme, reason } = decision;
    const { field, kind, body } = told;
    const ofScheme = prepared[kind].get(scheme) ?? {};
    const known = ofScheme[reason];
    if (known !== undefined && known.body === body && known.field === field) return known;
    writeDenial(writer, decision, told);
    const head = writer.take();
    writeMetadata(writer, { reason, key: null, rate: null });
    writer.encoded(head);
    const made: PreparedDenial = { field, body, head, whole: writer.take() };
    ofScheme[reason] = made;
    prepared[kind].set(scheme, ofScheme);
    return made;
  }
}

/** What a caller of this kind is told, and in which field of the answer. */
interface Told {
  readonly field: DenialField;
  readonly kind: CallerKind;
  readonly body: string;
}

function writeDenial(writer: BackwardWriter, decision: Denied, { field, kind, body }: Told): void {
  const { status: httpStatus } = decision.scheme.answers[decision.reason];
  const headers = kind === 'http' ? denialHeaders(decision) : grpcHeaders(decision, kind, body);
  const since = writer.length;
  if (body !== '') writer.text(denial.body, body);
  for (const [name, text] of headers.toReversed()) writeHeader(writer, denial.headers, name, text);
  const statusSince = writer.length;
  writer.number(httpStatusCode, httpStatus);
  writer.message(denial.status, statusSince);
  writer.message(field, since);
  writeStatus(writer, codeOf(httpStatus), decision.reason);
}

function writeMetadata(
  writer: BackwardWriter,
  { reason, key, misconfigured, rate }: Pick<Denied, 'reason' | 'key' | 'misconfigured' | 'rate'>,
): void {
  const since = writer.length;
  if (misconfigured !== undefined) writeMember(writer, 'misconfigured', misconfigured.problem);
  if (rate !== null) writeMember(writer, 'limit', rate.name);
  if (key !== null) writeMember(writer, 'key_id', key.id);
  writeMember(writer, 'reason', reason);
  writer.message(response.metadata, since);
}

/** The gRPC code for Envoy's log and metrics; anything but OK denies. */
function codeOf(httpStatus: number): number {
  if (httpStatus === 401) return code.unauthenticated;
  if (httpStatus === 429) return code.resourceExhausted;
  if (httpStatus === 503) return code.unavailable;
  return code.permissionDenied;
}
