import type { Decision } from '../../check/authorize.ts';
import type { AccessRequest } from '../../check/request.ts';
import type { RequestTarget } from '../../check/request-target.ts';
import type { RequestRow } from '../../store/usage/request-log.ts';
import { barePath } from './shown-request.ts';

/** A row that is added to, and what a request is compared with: bytes as they came. */
export interface Gathered extends RequestTarget {
  readonly minute: number;
  readonly row: RequestRow;
  readonly key: RequestRow['key'];
  /** These three as in the row: to look there is one read more from far away. */
  readonly decision: RequestRow['decision'];
  readonly reason: RequestRow['reason'];
  readonly scheme: RequestRow['scheme'];
  /** As it came; null where no request could be read. */
  readonly address: string | null;
  /** Among the rows of its minute. */
  readonly place: number;
  /** Since it was handed on last. */
  count: number;
}

/** What was decided of a request, observed or not. */
export type Judged = Exclude<Exclude<Decision, { verdict: 'observe' }>, { verdict: 'public' }>;

/** Whether a request is one more of those that were gathered there, in the same minute, with the same key. */
export function isLike(
  gathered: Gathered,
  judged: Judged,
  decision: RequestRow['decision'],
  request: AccessRequest,
): boolean {
  const { row } = gathered;
  return (
    request.isTo?.(gathered) === true &&
    gathered.decision === decision &&
    (judged.verdict === 'allow' || judged.reason === gathered.reason) &&
    gathered.scheme === judged.scheme.name &&
    gathered.address === request.address &&
    // A key has the same as long as it lives.
    (judged.key !== null || row.environment === environmentOf(judged))
  );
}

/** What of a row is not the request's own. */
export type About = Pick<RequestRow, 'key' | 'decision' | 'reason' | 'status' | 'scheme' | 'environment'>;

export function aboutOf(judged: Judged, decision: RequestRow['decision']): About {
  const { key, scheme } = judged;
  const reason = judged.verdict === 'allow' ? null : judged.reason;
  const status = reason === null ? 200 : scheme.answers[reason].status;
  const environment = environmentOf(judged);
  return { key: key === null ? null : key.id, decision, reason, status, scheme: scheme.name, environment };
}

/** What a request is compared with, as it came; the path without its query, the address null where none was read. */
export interface Asked {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly address: string | null;
}

export function askedOf(request: AccessRequest | null): Asked {
  if (request === null) return { method: '', host: '', path: '', address: null };
  const { method, host, path, address } = request;
  return { method, host, path: barePath(path), address };
}

/** One for all requests that are alike; with null, for all that are not kept apart. What is free is told by its length. */
export function nameOf({ key, decision, reason, scheme, environment }: About, asked: Asked | null): string {
  const about = `${key} ${decision} ${reason} ${scheme} ${environment}`;
  if (asked === null) return about;
  const { method, host, path, address } = asked;
  return `${about} ${method.length} ${host.length} ${address?.length} ${method}${host}${address}${path}`;
}

function environmentOf(judged: Judged): string | null {
  if (judged.key !== null) return judged.key.environment;
  return judged.verdict === 'deny' ? (judged.terms?.environment ?? null) : null;
}
