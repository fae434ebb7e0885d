import { status } from '@grpc/grpc-js';
import type { Allowed, Decision, Denied, Observed } from '../../src/check/authorize.ts';
import type { AccessRequest } from '../../src/check/request.ts';
import { ownHeaders } from '../../src/check/reserved-headers.ts';
import type { UnavailableAs } from '../../src/grpc/check/check-response.ts';
import type { HeaderValueOption } from '../../src/grpc/gen/envoy/config/core/v3/base.ts';
import type {
  CheckResponse,
  DeniedHttpResponse,
} from '../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import type { Limit } from '../../src/keys/limit.ts';
import type { RateVerdict } from '../../src/limits/verdict.ts';
import { challenge } from '../../src/schemes/scheme.ts';
import { formatTime } from '../../src/time/time.ts';

type Pair = readonly [name: string, value: string];

/** What Envoy is to be told, as a message of the generated code, from the contract and nothing of the writer's. */
export function expectedResponse(decision: Decision, request: AccessRequest, unavailableAs: UnavailableAs) {
  if (decision.verdict !== 'deny') return { response: allow(decision, request), error: null };
  const response = denied(decision);
  if (decision.reason !== 'unavailable' || decision.misconfigured || unavailableAs === 'denied_response')
    return { response, error: null };
  return { response: { ...response, httpResponse: undefined }, error: deniedHttp(decision) };
}

function allow(decision: Exclude<Decision, Denied>, request: AccessRequest): CheckResponse {
  if (decision.verdict === 'observe') return observed(decision.would, request);
  const { set, rest, remove, removeParameters } = changes(decision);
  const names = set.map(([name]) => name);
  const sent = request.reservedHeaders(ownHeaders).filter((name) => !names.includes(name));
  const rate = decision.verdict === 'allow' ? decision.rate : null;
  return {
    status: { code: status.OK, message: '', details: [] },
    httpResponse: {
      $case: 'okResponse',
      value: {
        headers: [...set.map(header), ...rest],
        headersToRemove: [...remove, ...sent],
        dynamicMetadata: undefined,
        responseHeadersToAdd:
          decision.verdict === 'allow' && rate !== null ? rateHeaders(rate, decision.scheme).map(header) : [],
        queryParametersToSet: [],
        queryParametersToRemove: removeParameters,
      },
    },
    dynamicMetadata: decision.verdict === 'allow' ? metadataOf(decision) : undefined,
  };
}

function observed(would: Allowed | Denied, request: AccessRequest): CheckResponse {
  const nothing = { headers: [], changed: [], parameters: [] };
  if (would.verdict === 'allow') {
    const response = allow({ ...would, withheld: nothing, rate: null }, request);
    return { ...response, dynamicMetadata: { ...metadataOf(would), observed: true } };
  }
  const { reason, scheme, key, misconfigured, rate } = would;
  return {
    ...allow({ verdict: 'public' }, request),
    dynamicMetadata: {
      ...{ observed: true, reason, status: scheme.answers[reason].status },
      ...(key !== null && { key_id: key.id, owner: key.owner }),
      ...(rate !== null && { limit: rate.name }),
      ...(misconfigured !== undefined && { misconfigured: misconfigured.problem }),
    },
  };
}

function changes(decision: Exclude<Decision, Denied | Observed>) {
  if (decision.verdict === 'public') return { set: [], rest: [], remove: [], removeParameters: [] };
  const { key, permissions, withheld } = decision;
  const set: Pair[] = [['x-postern-key-id', key.id]];
  if (key.owner !== null) set.push(['x-postern-owner', key.owner]);
  set.push(['x-postern-scheme', key.scheme], ['x-postern-environment', key.environment]);
  if (permissions.length > 0) set.push(['x-postern-permissions', permissions.join(',')]);
  const rest = withheld.changed.toReversed().map(({ name, value }) => header([name, value]));
  return {
    set,
    rest,
    remove: withheld.headers.toReversed(),
    removeParameters: withheld.parameters.toReversed(),
  };
}

function metadataOf({ key, permissions, plan, rate }: Allowed): Record<string, unknown> {
  const override = rate === null ? null : overrideOf(rate.limits);
  return {
    ...{ key_id: key.id, key_name: key.name, owner: key.owner, plan, scheme: key.scheme },
    ...{ environment: key.environment, permissions, labels: key.labels },
    ...(override !== null && { rate_limit_override: override }),
  };
}

function denied(decision: Denied): CheckResponse {
  const { reason, scheme, key } = decision;
  const codes: Readonly<Record<number, number>> = {
    401: status.UNAUTHENTICATED,
    429: status.RESOURCE_EXHAUSTED,
    503: status.UNAVAILABLE,
  };
  return {
    status: {
      code: codes[scheme.answers[reason].status] ?? status.PERMISSION_DENIED,
      message: reason,
      details: [],
    },
    httpResponse: { $case: 'deniedResponse', value: deniedHttp(decision) },
    dynamicMetadata: {
      reason,
      ...(key !== null && { key_id: key.id }),
      ...(decision.rate !== null && { limit: decision.rate.name }),
    },
  };
}

function deniedHttp({ reason, scheme, key, terms, rate }: Denied): DeniedHttpResponse {
  const answer = scheme.answers[reason];
  const retryAfter = reason === 'unavailable' ? 1 : (rate?.retryAfter ?? undefined);
  const headers: Pair[] = [['content-type', 'application/json']];
  if (answer.status === 401) headers.push(['www-authenticate', challenge(scheme, reason)]);
  if (retryAfter !== undefined) headers.push(['retry-after', String(retryAfter)]);
  if (rate !== null) headers.push(...rateHeaders(rate, scheme));
  headers.push(...answer.headers);
  return {
    status: { code: answer.status as never },
    headers: [...new Map(headers)].map(header),
    body: answer.body({
      reason,
      ...(key !== null && key.expiresAt !== null && { expired_at: formatTime(key.expiresAt) }),
      ...(key !== null && { allowed_ips: key.ipAllowlist }),
      ...(terms !== null && { client_ip: terms.address ?? '', required: terms.permissions }),
      ...(retryAfter !== undefined && { retry_after: retryAfter }),
      ...(rate !== null && { limit: rate.limit, limit_name: rate.name }),
    }),
  };
}

function rateHeaders(rate: RateVerdict, scheme: Allowed['scheme']): Pair[] {
  const { rateLimitHeaders: form } = scheme;
  const x: Pair[] = [
    ['x-ratelimit-limit', String(rate.limit)],
    ['x-ratelimit-remaining', String(rate.remaining)],
    ...(rate.resetAt === null ? [] : [['x-ratelimit-reset', String(rate.resetAt)] as Pair]),
  ];
  const all = rate.standings();
  const parameter = (name: string, value: number | null) => (value === null ? '' : `;${name}=${value}`);
  const ietf: Pair[] = [
    [
      'ratelimit-policy',
      all.map((one) => `"${one.name}";q=${one.limit}${parameter('w', one.lengthSeconds)}`).join(', '),
    ],
    [
      'ratelimit',
      all.map((one) => `"${one.name}";r=${one.remaining}${parameter('t', one.retryAfter)}`).join(', '),
    ],
  ];
  return { x, ietf, both: [...x, ...ietf], none: [] }[form];
}

function overrideOf(limits: readonly Limit[]) {
  const units: readonly (readonly [Limit['per'], string])[] = [
    ...([
      [1_000, 'SECOND'],
      [60_000, 'MINUTE'],
      [3_600_000, 'HOUR'],
      [86_400_000, 'DAY'],
    ] as const),
    ...([
      ['day', 'DAY'],
      ['month', 'MONTH'],
    ] as const),
  ];
  const said = limits.flatMap(({ limit, per }) =>
    units
      .filter(([of]) => of === per && limit < 2 ** 32)
      .map(([, unit]) => ({ requests_per_unit: limit, unit })),
  );
  return said[0] ?? null;
}

function header([key, value]: Pair): HeaderValueOption {
  return {
    header: { key, value, rawValue: new Uint8Array() },
    ...{ append: false, appendAction: 2, keepEmptyValue: false },
  };
}
