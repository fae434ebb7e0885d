import type { AnswerValues } from './answer.ts';
import type { Denied } from './authorize.ts';
import type { RateVerdict } from './limiter.ts';
import { challenge } from './scheme.ts';
import { formatTime } from './time.ts';

/** What the caller of the API reads when a request is turned away. */
export interface Denial {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** Seconds after which it is worth asking again when the store could not be reached. */
const unavailableRetrySeconds = 1;

/** Renders a denial in the words of its scheme. The key itself is never in it. */
export function renderDenial(denied: Denied): Denial {
  const { reason, scheme, rate } = denied;
  const answer = scheme.answers[reason];
  const retryAfter = retryAfterOf(denied);
  const headers: (readonly [string, string])[] = [['content-type', 'application/json']];
  if (answer.status === 401) headers.push(['www-authenticate', challenge(scheme, reason)]);
  if (retryAfter !== null) headers.push(['retry-after', String(retryAfter)]);
  if (rate !== null) headers.push(...rateHeaders(rate));
  headers.push(...answer.headers);
  // Each name once, the scheme's own before ours: Envoy joins what is set twice with a comma.
  return {
    status: answer.status,
    headers: [...new Map(headers)],
    body: answer.body(valuesOf(denied, retryAfter)),
  };
}

/** How a caller with a limit stands, as Converra documents it; the reset in Unix seconds. */
export function rateHeaders(rate: RateVerdict): [name: string, value: string][] {
  return [
    ['x-ratelimit-limit', String(rate.limit)],
    ['x-ratelimit-remaining', String(rate.remaining)],
    ['x-ratelimit-reset', String(rate.resetAt)],
  ];
}

function retryAfterOf({ reason, rate }: Denied): number | null {
  if (reason === 'unavailable') return unavailableRetrySeconds;
  return rate?.retryAfter ?? null;
}

function valuesOf({ reason, key, terms, rate }: Denied, retryAfter: number | null): AnswerValues {
  return {
    reason,
    ...(key !== null && key.expiresAt !== null && { expired_at: formatTime(key.expiresAt) }),
    ...(key !== null && { allowed_ips: key.ipAllowlist }),
    ...(terms !== null && { client_ip: terms.address ?? '', required: terms.permissions }),
    ...(retryAfter !== null && { retry_after: retryAfter }),
    ...(rate !== null && { limit: rate.limit }),
  };
}
