import type { Limit } from '../keys/limit.ts';
import type { RateVerdict, Standing } from '../limits/verdict.ts';
import type { Scheme } from '../schemes/scheme.ts';

type Header = readonly [name: string, value: string];

/** How a caller with a limit stands, as Converra documents it; the reset in Unix seconds. */
export const rateHeader = {
  limit: 'x-ratelimit-limit',
  remaining: 'x-ratelimit-remaining',
  reset: 'x-ratelimit-reset',
} as const;

/** What a caller is told of its limits, by the headers of its scheme, each name once. */
export function rateHeaders(
  rate: RateVerdict,
  { rateLimitHeaders: form }: Pick<Scheme, 'rateLimitHeaders'>,
): readonly Header[] {
  switch (form) {
    case 'x':
      return xHeaders(rate);
    case 'ietf':
      return ietfHeaders(rate);
    case 'both':
      return [...xHeaders(rate), ...ietfHeaders(rate)];
    case 'none':
      return [];
  }
}

function xHeaders({ limit, remaining, resetAt }: RateVerdict): Header[] {
  const headers: Header[] = [
    [rateHeader.limit, String(limit)],
    [rateHeader.remaining, String(remaining)],
  ];
  if (resetAt !== null) headers.push([rateHeader.reset, String(resetAt)]);
  return headers;
}

/** draft-ietf-httpapi-ratelimit-headers: lists of strings with parameters (RFC 9651). */
function ietfHeaders(rate: RateVerdict): Header[] {
  const all = rate.standings();
  return [
    ['ratelimit-policy', all.map(policyItem).join(', ')],
    ['ratelimit', all.map(standingItem).join(', ')],
  ];
}

function policyItem({ name, limit, lengthSeconds }: Standing): string {
  return `"${name}";q=${integer(limit)}${lengthSeconds === null ? '' : `;w=${integer(lengthSeconds)}`}`;
}

function standingItem({ name, remaining, retryAfter }: Standing): string {
  return `"${name}";r=${integer(remaining)}${retryAfter === null ? '' : `;t=${retryAfter}`}`;
}

/** The most that an integer of RFC 9651 can say. */
const integerMax = 999_999_999_999_999;

function integer(value: number): number {
  return Math.min(value, integerMax);
}

/** A limit as Envoy's rate limit filters read it from dynamic metadata (`envoy.type.v3.RateLimitUnit`). */
export interface LimitOverride {
  readonly requests_per_unit: number;
  readonly unit: 'SECOND' | 'MINUTE' | 'HOUR' | 'DAY' | 'MONTH';
}

const units: ReadonlyMap<Limit['per'], LimitOverride['unit']> = new Map<Limit['per'], LimitOverride['unit']>([
  [1_000, 'SECOND'],
  [60_000, 'MINUTE'],
  [3_600_000, 'HOUR'],
  [86_400_000, 'DAY'],
  ['day', 'DAY'],
  ['month', 'MONTH'],
]);
/** `requests_per_unit` is a uint32. */
const requestsMax = 4_294_967_295;

/** Envoy's unit of a limit; null where it has none. */
export function limitUnit({ per }: Limit): LimitOverride['unit'] | null {
  return units.get(per) ?? null;
}

/** The first limit that Envoy's units can say; null for none. */
export function limitOverride(limits: readonly Limit[]): LimitOverride | null {
  for (const { limit, per } of limits) {
    const unit = units.get(per);
    if (unit !== undefined && limit <= requestsMax) return { requests_per_unit: limit, unit };
  }
  return null;
}
