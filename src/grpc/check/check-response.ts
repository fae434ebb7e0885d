import type { Allowed, Decision, Denied, Observed } from '../../check/authorize.ts';
import { denialBody, denialHeaders, rateHeader } from '../../check/denial.ts';
import { type CallerKind, callerKind, grpcHeaders, grpcMessage } from '../../check/grpc-denial.ts';
import type { AccessRequest } from '../../check/request.ts';
import { ownHeaders } from '../../check/reserved-headers.ts';
import type { CheckedKey } from '../../keys/key.ts';
import { rpcStatus as code } from '../../net/rpc.ts';
import type { Reason } from '../../schemes/answer.ts';
import type { Scheme } from '../../schemes/scheme.ts';
import { BackwardWriter } from './backward-writer.ts';
import { createKeyFragments, type KeyFragments } from './key-fragments.ts';
import { writeHeader, writeMember, writeStructMember } from './response-fields.ts';

/** How an `unavailable` is told to Envoy; see `check.unavailable_as` in the settings. */
export type UnavailableAs = 'error_response' | 'denied_response' | 'rpc_error';

/** What Envoy reads as a failed call: for `unavailable_as: rpc_error` alone. */
export class CheckUnavailable extends Error {}

/**
 * Writes the answers to Checks, each into bytes that must not be written to: they may be answered again. Envoy
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
const response = { status: 10, denied: 18, ok: 26, metadata: 34, error: 42 } as const;
const rpcStatus = { code: 8, message: 18 } as const;
const ok = { headers: 18, remove: 42, responseHeaders: 50, removeParameters: 66 } as const;
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

export function createCheckWriter(unavailableAs: UnavailableAs): CheckWriter {
  const writer = new BackwardWriter();
  const fragmentsOf = createKeyFragments(ok.headers);
  const prepared: Readonly<Record<CallerKind, WeakMap<Scheme, Partial<Record<Reason, PreparedDenial>>>>> = {
    ...{ http: new WeakMap(), grpc: new WeakMap(), 'grpc-web': new WeakMap() },
  };

  return {
    decided(decision, request) {
      writer.clear();
      if (decision.verdict === 'public') return allowAnyone(writer, request);
      if (decision.verdict === 'allow') return allowKey(writer, request, decision, fragmentsOf(decision.key));
      if (decision.verdict === 'observe') return observe(writer, request, decision, fragmentsOf);
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
      return writer.take();
    }
    const { head, whole } = prepare(decision, { field, kind, body });
    if (decision.key === null && decision.misconfigured === undefined) return whole;
    writeMetadata(writer, decision);
    writer.encoded(head);
    return writer.take();
  }

  function prepare(decision: Denied, told: Told): PreparedDenial {
    const { scheme, reason } = decision;
    const { field, kind, body } = told;
    const ofScheme = prepared[kind].get(scheme) ?? {};
    const known = ofScheme[reason];
    if (known !== undefined && known.body === body && known.field === field) return known;
    writeDenial(writer, decision, told);
    const head = writer.take();
    writeMetadata(writer, { reason, key: null });
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
  { reason, key, misconfigured }: Pick<Denied, 'reason' | 'key' | 'misconfigured'>,
): void {
  const since = writer.length;
  if (misconfigured !== undefined) writeMember(writer, 'misconfigured', misconfigured.problem);
  if (key !== null) writeMember(writer, 'key_id', key.id);
  writeMember(writer, 'reason', reason);
  writer.message(response.metadata, since);
}

/** Of a route that asks for no key. */
function allowAnyone(writer: BackwardWriter, request: AccessRequest): Uint8Array {
  const since = writer.length;
  removeSent(writer, request, null);
  writer.message(response.ok, since);
  writeStatus(writer, code.ok, '');
  return writer.take();
}

function allowKey(
  writer: BackwardWriter,
  request: AccessRequest,
  allowed: Allowed,
  fragments: KeyFragments,
): Uint8Array {
  writeKeyMetadata(writer, allowed, fragments);
  const since = writer.length;
  writeAnswerChanges(writer, allowed);
  removeSent(writer, request, allowed);
  writeRequestChanges(writer, allowed, fragments);
  writer.message(response.ok, since);
  writeStatus(writer, code.ok, '');
  return writer.take();
}

/** What the client sent goes on as it came, but for what it must not say of itself; who would pass is named. */
function observe(
  writer: BackwardWriter,
  request: AccessRequest,
  { would }: Observed,
  fragmentsOf: (key: CheckedKey) => KeyFragments,
): Uint8Array {
  const allowed = would.verdict === 'allow' ? would : null;
  if (would.verdict === 'deny') writeObservedDenial(writer, would);
  else writeKeyMetadata(writer, would, fragmentsOf(would.key), true);
  const since = writer.length;
  removeSent(writer, request, allowed);
  if (allowed !== null) writeIdentity(writer, allowed, fragmentsOf(allowed.key));
  writer.message(response.ok, since);
  writeStatus(writer, code.ok, '');
  return writer.take();
}

function writeObservedDenial(writer: BackwardWriter, denied: Denied): void {
  const { reason, scheme, key, misconfigured } = denied;
  const since = writer.length;
  if (misconfigured !== undefined) writeMember(writer, 'misconfigured', misconfigured.problem);
  if (key !== null) writeMember(writer, 'owner', key.owner);
  if (key !== null) writeMember(writer, 'key_id', key.id);
  writeMember(writer, 'status', scheme.answers[reason].status);
  writeMember(writer, 'reason', reason);
  writeMember(writer, 'observed', true);
  writer.message(response.metadata, since);
}

/** For the upstream. */
function writeRequestChanges(writer: BackwardWriter, allowed: Allowed, fragments: KeyFragments): void {
  const { withheld } = allowed;
  for (const name of withheld.headers) writer.text(ok.remove, name);
  for (const { name, value } of withheld.changed) writeHeader(writer, ok.headers, name, value);
  writeIdentity(writer, allowed, fragments);
}

function writeIdentity(writer: BackwardWriter, { key }: Allowed, fragments: KeyFragments): void {
  writer.encoded(fragments.headers);
  if (key.owner !== null) writeHeader(writer, ok.headers, 'x-postern-owner', key.owner);
  writeHeader(writer, ok.headers, 'x-postern-key-id', key.id);
}

/** What the client must not have said of itself. Envoy removes after it has set: a name in both would be lost. */
function removeSent(writer: BackwardWriter, request: AccessRequest, allowed: Allowed | null): void {
  const sent = request.reservedHeaders(ownHeaders);
  for (let at = sent.length - 1; at >= 0; at--) {
    const name = sent[at] as string;
    if (allowed === null || !isSet(allowed, name)) writer.text(ok.remove, name);
  }
}

/** Whether a header of ours takes that name. */
function isSet({ key }: Allowed, name: string): boolean {
  if (name === 'x-postern-owner') return key.owner !== null;
  if (name === 'x-postern-permissions') return key.permissions.length > 0;
  return name === 'x-postern-key-id' || name === 'x-postern-scheme' || name === 'x-postern-environment';
}

/** For the caller, and what Envoy can only take out of a path by name. */
function writeAnswerChanges(writer: BackwardWriter, { withheld, rate }: Allowed): void {
  for (const name of withheld.parameters) writer.text(ok.removeParameters, name);
  if (rate === null) return;
  writeHeader(writer, ok.responseHeaders, rateHeader.reset, String(rate.resetAt));
  writeHeader(writer, ok.responseHeaders, rateHeader.remaining, String(rate.remaining));
  writeHeader(writer, ok.responseHeaders, rateHeader.limit, String(rate.limit));
}

function writeKeyMetadata(
  writer: BackwardWriter,
  { key, plan }: Allowed,
  fragments: KeyFragments,
  isObserved = false,
): void {
  const since = writer.length;
  if (isObserved) writeMember(writer, 'observed', true);
  writeStructMember(writer, 'labels', key.labels);
  writer.encoded(fragments.metadata);
  writeMember(writer, 'plan', plan);
  writeMember(writer, 'owner', key.owner);
  writeMember(writer, 'key_name', key.name);
  writeMember(writer, 'key_id', key.id);
  writer.message(response.metadata, since);
}

function writeStatus(writer: BackwardWriter, statusCode: number, message: string): void {
  const since = writer.length;
  if (message !== '') writer.text(rpcStatus.message, message);
  if (statusCode !== 0) writer.number(rpcStatus.code, statusCode);
  writer.message(response.status, since);
}

/** The gRPC code for Envoy's log and metrics; anything but OK denies. */
function codeOf(httpStatus: number): number {
  if (httpStatus === 401) return code.unauthenticated;
  if (httpStatus === 429) return code.resourceExhausted;
  if (httpStatus === 503) return code.unavailable;
  return code.permissionDenied;
}
