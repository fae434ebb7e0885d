import type { Limit } from '../keys/limit.ts';
import type { Spender } from './accounts.ts';
import type { Window } from './counter.ts';

/** Something about a period's limit that an operator may want to hear of, once in each period. */
export interface LimitNews extends Spender {
  readonly kind: 'nearly_spent' | 'exceeded';
  readonly limit: Limit;
  /** Of the counter in the store. */
  readonly counter: string;
  /** When the period began, and when it ends, Unix milliseconds. */
  readonly start: number;
  readonly end: number;
}

/** The part of a limit from which on it is nearly spent. */
const nearlySpentPart = 0.8;

/** Says so once the units that were spent, as far as is known here, reach four fifths of the limit. */
export function noteSpent(
  key: Spender,
  window: Window,
  limit: Limit,
  onNews: (news: LimitNews) => void,
): void {
  if (window.isNearlySpentTold || window.leased - window.free < limit.limit * nearlySpentPart) return;
  window.isNearlySpentTold = true;
  onNews(newsOf('nearly_spent', key, window, limit));
}

/** Says so when units that were charged after the fact bring what was spent to four fifths of the limit. */
export function noteCharged(
  key: Spender,
  window: Pick<Window, 'counter' | 'start' | 'end'>,
  limit: Limit,
  { before, after }: { readonly before: number; readonly after: number },
  onNews: (news: LimitNews) => void,
): void {
  const bound = limit.limit * nearlySpentPart;
  if (typeof limit.per === 'string' && before < bound && after >= bound) {
    onNews(newsOf('nearly_spent', key, window, limit));
  }
}

/** Says so when a request is denied for this limit, the first time in its period. */
export function noteExceeded(
  key: Spender,
  window: Window,
  limit: Limit,
  onNews: (news: LimitNews) => void,
): void {
  if (window.isExceededTold) return;
  window.isExceededTold = true;
  onNews(newsOf('exceeded', key, window, limit));
}

function newsOf(
  kind: LimitNews['kind'],
  { spender, owner }: Spender,
  { counter, start, end }: Pick<Window, 'counter' | 'start' | 'end'>,
  limit: Limit,
): LimitNews {
  return { kind, spender, owner, limit, counter, start, end };
}
