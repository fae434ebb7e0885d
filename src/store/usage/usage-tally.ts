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
export function aboutPlaces(
  add: (about: UsageAbout | null) => number,
): (about: UsageAbout | null | undefined) => number {
  /** By their owners, who have few of them each: a name made of all four would take longer than all else. */
  const byOwner = new Map<string | null, Known[]>();
  let last: Known | null = null;
  let untold = -1;

  return (about) => {
    if (about === null || about === undefined) {
      if (untold < 0) untold = add(null);
      return untold;
    }
    if (last !== null && isSameAbout(last.about, about)) return last.place;
    const ofOwner = byOwner.get(about.owner);
    last = ofOwner?.find((known) => isSameAbout(known.about, about)) ?? null;
    if (last !== null) return last.place;
    const { owner, plan, scheme, environment } = about;
    const kept = { owner, plan, scheme, environment };
    last = { about: kept, place: add(kept) };
    if (ofOwner === undefined) byOwner.set(owner, [last]);
    else ofOwner.push(last);
    return last.place;
  };
}

interface Known {
  readonly about: UsageAbout;
  readonly place: number;
}

export function isSameAbout(one: UsageAbout, other: UsageAbout): boolean {
  if (one.owner !== other.owner || one.plan !== other.plan) return false;
  return one.scheme === other.scheme && one.environment === other.environment;
}

/** The same, while it is put together. */
export type Writable<T> = { -readonly [member in keyof T]: T[member] };
