import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';

/** What a key was when it was used. */
export interface UsageAbout {
  readonly owner: string | null;
  /** The plan that held; null for none. */
  readonly plan: string | null;
  readonly scheme: string | null;
  readonly environment: string | null;
}

/** What became of one key's requests within one hour. */
export interface UsageTally {
  readonly key: KeyId;
  /** The start of the hour, Unix milliseconds. */
  readonly hour: number;
  readonly allowed: number;
  readonly denied: Readonly<Partial<Record<Reason, number>>>;
  /** What would have been denied and was allowed, since it was observed alone. */
  readonly observed: Readonly<Partial<Record<Reason, number>>>;
  /** The last time that the key was allowed, Unix milliseconds; null when it never was. */
  readonly lastUsedAt: number | null;
  /** Where requests came from, a bounded sample. */
  readonly addresses: readonly string[];
  /** Where it is not told, as by releases of before it was, it is what the key is when the tally is written. */
  readonly about?: UsageAbout | undefined;
}

/** Addresses of one key that are kept in an hour. */
export const addressesMax = 50;

/** Names what keys were by numbers, one for all that were the same; `add` is given each that is new, and its number. */
export function aboutPlaces(add: (about: UsageAbout | null) => number): (about: UsageAbout | null) => number {
  const known = new Map<string, number>();
  let last: { readonly about: UsageAbout | null; readonly place: number } | null = null;
  return (about) => {
    if (last !== null && isSame(last.about, about)) return last.place;
    const name =
      about === null ? '' : JSON.stringify([about.owner, about.plan, about.scheme, about.environment]);
    const place = known.get(name) ?? add(about);
    known.set(name, place);
    last = { about, place };
    return place;
  };
}

function isSame(one: UsageAbout | null, other: UsageAbout | null): boolean {
  if (one === null || other === null) return one === other;
  const { owner, plan, scheme, environment } = one;
  if (owner !== other.owner || plan !== other.plan) return false;
  return scheme === other.scheme && environment === other.environment;
}
