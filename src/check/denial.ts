import type { AnswerValues, Reason } from '../schemes/answer.ts';
import { challenge } from '../schemes/scheme.ts';
import { formatTime } from '../time/time.ts';
import type { Denied } from './authorize.ts';
import { rateHeaders } from './rate-headers.ts';

/** Seconds after which it is worth asking again when the store could not be reached. */
const unavailableRetrySeconds = 1;

/** The body of a denial in the words of its scheme. The key itself is never in it. */
export function denialBody(denied: Denied): string {
  return denied.scheme.answers[denied.reason].body(new DenialValues(denied));
}

/** The headers of a denial, each name once; they follow from its scheme and reason alone where it has no rate. */
export function denialHeaders(denied: Denied): readonly (readonly [name: string, value: string])[] {
  const { reason, scheme, rate } = denied;
  const answer = scheme.answers[reason];
  const retryAfter = retryAfterOf(denied);
  const headers: (readonly [string, string])[] = [['content-type', 'application/json']];
  if (answer.status === 401) headers.push(['www-authenticate', challenge(scheme, reason)]);
  if (retryAfter !== null) headers.push(['retry-after', String(retryAfter)]);
  if (rate !== null) headers.push(...rateHeaders(rate, scheme));
  headers.push(...answer.headers);
  // Each name once, the scheme's own before ours: Envoy joins what is set twice with a comma.
  return [...new Map(headers)];
}

function retryAfterOf({ reason, rate }: Denied): number | null {
  if (reason === 'unavailable') return unavailableRetrySeconds;
  return rate?.retryAfter ?? null;
}

/** Worked out when a template asks for them, which most do not. */
class DenialValues implements AnswerValues {
  readonly #denied: Denied;

  constructor(denied: Denied) {
    this.#denied = denied;
  }

  get reason(): Reason {
    return this.#denied.reason;
  }

  get expired_at(): string | undefined {
    const expiresAt = this.#denied.key?.expiresAt ?? null;
    return expiresAt === null ? undefined : formatTime(expiresAt);
  }

  get client_ip(): string | undefined {
    const { terms } = this.#denied;
    return terms === null ? undefined : (terms.address ?? '');
  }

  get allowed_ips(): readonly string[] | undefined {
    return this.#denied.key?.ipAllowlist;
  }

  get required(): readonly string[] | undefined {
    return this.#denied.terms?.permissions;
  }

  get retry_after(): number | undefined {
    return retryAfterOf(this.#denied) ?? undefined;
  }

  get limit(): number | undefined {
    return this.#denied.rate?.limit;
  }

  get limit_name(): string | undefined {
    return this.#denied.rate?.name;
  }
}
