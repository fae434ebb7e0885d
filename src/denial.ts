import type { AnswerValues } from './answer.ts';
import type { Denied } from './authorize.ts';
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
export function renderDenial(decision: Denied): Denial {
  const { reason, scheme } = decision;
  const answer = scheme.answers[reason];
  const headers: [string, string][] = [['content-type', 'application/json'], ...answer.headers.map(pair)];
  if (answer.status === 401) headers.push(['www-authenticate', challenge(scheme, reason)]);
  if (reason === 'unavailable') headers.push(['retry-after', String(unavailableRetrySeconds)]);
  return { status: answer.status, headers, body: answer.body(valuesOf(decision)) };
}

function valuesOf({ reason, key, terms }: Denied): AnswerValues {
  return {
    reason,
    ...(key !== null && key.expiresAt !== null && { expired_at: formatTime(key.expiresAt) }),
    ...(key !== null && { allowed_ips: key.ipAllowlist }),
    client_ip: terms.address,
    required: terms.permissions,
    ...(reason === 'unavailable' && { retry_after: unavailableRetrySeconds }),
  };
}

function pair([name, value]: readonly [string, string]): [string, string] {
  return [name, value];
}
