import { status } from '@grpc/grpc-js';
import type { Allowed, Decision, Denied } from '../authorize.ts';
import { cookiesOf } from '../credential.ts';
import { type Denial, rateHeaders, renderDenial } from '../denial.ts';
import type { AccessRequest } from '../request.ts';
import type { Place } from '../scheme.ts';
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
} from './gen/envoy/config/core/v3/base.ts';
import { CheckResponse, DeniedHttpResponse } from './gen/envoy/service/auth/v3/external_auth.ts';

/** How an `unavailable` is told to Envoy; see `check.unavailable_as` in the settings. */
export type UnavailableAs = 'error_response' | 'denied_response' | 'rpc_error';

const reservedPrefix = 'x-postern-';

/** What Envoy reads as a failed call: for `unavailable_as: rpc_error` alone. */
export class CheckUnavailable extends Error {}

/**
 * The answer to a Check as bytes. Envoy takes an answer without a status, or one with status OK and a denial
 * in it, for an allow: so there are only the constructors below, and each sets both.
 */
export function writeCheckResponse(
  decision: Decision,
  request: AccessRequest,
  unavailableAs: UnavailableAs,
): Uint8Array {
  if (decision.verdict === 'public') return allow(request, nothingChanged);
  if (decision.verdict === 'allow') return allowKey(decision, request);
  if (decision.reason !== 'unavailable' || unavailableAs === 'denied_response') return denied(decision);
  if (unavailableAs === 'rpc_error') throw new CheckUnavailable('the store can not be reached');
  return error(decision);
}

/** A denial in place of an answer that could not be made: never an allow, whatever Envoy's failure mode is. */
export function denied(decision: Denied): Uint8Array {
  const denial = renderDenial(decision);
  return CheckResponse.encode({
    status: { code: statusOf(denial.status), message: decision.reason, details: [] },
    httpResponse: { $case: 'deniedResponse', value: deniedHttp(denial) },
    dynamicMetadata: denialMetadata(decision),
  }).finish();
}

/**
 * `error_response`, by which an operator's `failure_mode_allow` decides (Envoy 1.37 and later). It is field
 * 5 of CheckResponse's `http_response` and newer than the protos that we generate from.
 */
function error(decision: Denied): Uint8Array {
  const denial = renderDenial(decision);
  const writer = CheckResponse.encode({
    status: { code: statusOf(denial.status), message: decision.reason, details: [] },
    httpResponse: undefined,
    dynamicMetadata: denialMetadata(decision),
  });
  const errorResponseTag = (5 << 3) | 2;
  DeniedHttpResponse.encode(deniedHttp(denial), writer.uint32(errorResponseTag).fork()).join();
  return writer.finish();
}

function allowKey({ key, scheme, place, plan, rate }: Allowed, request: AccessRequest): Uint8Array {
  const set: [string, string][] = [
    ['x-postern-key-id', key.id],
    ['x-postern-scheme', key.scheme],
    ['x-postern-environment', key.environment],
  ];
  if (key.owner !== null) set.push(['x-postern-owner', key.owner]);
  if (key.permissions.length > 0) set.push(['x-postern-permissions', key.permissions.join(',')]);
  const metadata = {
    key_id: key.id,
    key_name: key.name,
    owner: key.owner,
    plan,
    scheme: key.scheme,
    environment: key.environment,
    permissions: key.permissions,
    labels: key.labels,
  };
  const kept = scheme.forwardCredential ? nothingChanged : withoutCredential(place, request);
  return allow(request, {
    set: [...set, ...kept.set],
    remove: kept.remove,
    removeParameters: kept.removeParameters,
    answer: rate === null ? [] : rateHeaders(rate),
    metadata,
  });
}

/** What an allowed request and its answer are changed by. */
interface Mutation {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
  readonly removeParameters: readonly string[];
  /** Headers of the answer to the caller. */
  readonly answer: readonly (readonly [name: string, value: string])[];
  readonly metadata: Record<string, unknown> | undefined;
}

const nothingChanged: Mutation = {
  set: [],
  remove: [],
  removeParameters: [],
  answer: [],
  metadata: undefined,
};

function withoutCredential(place: Place, request: AccessRequest): Mutation {
  if (place.kind === 'header') return { ...nothingChanged, remove: [place.name] };
  if (place.kind === 'query') return { ...nothingChanged, removeParameters: [place.name] };
  const others = cookiesOf(request).filter((cookie) => !cookie.startsWith(`${place.name}=`));
  if (others.length === 0) return { ...nothingChanged, remove: ['cookie'] };
  return { ...nothingChanged, set: [['cookie', others.join('; ')]] };
}

function allow(request: AccessRequest, mutation: Mutation): Uint8Array {
  // Envoy removes after it has set: a name in both would be lost.
  const set = new Set(mutation.set.map(([name]) => name));
  const sent = request.headersStarting(reservedPrefix).filter((name) => !set.has(name));
  return CheckResponse.encode({
    status: { code: status.OK, message: '', details: [] },
    httpResponse: {
      $case: 'okResponse',
      value: {
        headers: mutation.set.map(header),
        headersToRemove: [...mutation.remove, ...sent],
        dynamicMetadata: undefined,
        responseHeadersToAdd: mutation.answer.map(header),
        queryParametersToSet: [],
        queryParametersToRemove: [...mutation.removeParameters],
      },
    },
    dynamicMetadata: mutation.metadata,
  }).finish();
}

function deniedHttp(denial: Denial): DeniedHttpResponse {
  const headers = denial.headers.map(header);
  return { status: { code: denial.status as never }, headers, body: denial.body };
}

function denialMetadata({ reason, key }: Denied): Record<string, unknown> {
  return key === null ? { reason } : { reason, key_id: key.id };
}

/** Replaces what is there. Envoy 1.36 and older read only `append`, 1.37.0 took it to be true when unset. */
function header([key, value]: readonly [name: string, value: string]): HeaderValueOption {
  return {
    header: { key, value, rawValue: new Uint8Array() },
    append: false,
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    keepEmptyValue: false,
  };
}

/** The gRPC code for Envoy's log and metrics; anything but OK denies. */
function statusOf(httpStatus: number): number {
  if (httpStatus === 401) return status.UNAUTHENTICATED;
  if (httpStatus === 429) return status.RESOURCE_EXHAUSTED;
  if (httpStatus === 503) return status.UNAVAILABLE;
  return status.PERMISSION_DENIED;
}
