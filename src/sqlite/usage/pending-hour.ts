import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { isSameAbout, type UsageAbout, type UsageTally } from '../../store/usage/usage-tally.ts';
import { parse } from './id-words.ts';
import { createNames, isOther, namesMax } from './names.ts';
import { allowedAt, createPendingRows, denialsAt, reasonsMax } from './pending-rows.ts';

/**
 * Use of one hour that no row has yet: of each key one allowed use or more from one address, and denials for one
 * reason. In numbers alone, as a million keys may be in it: 38 bytes for each.
 */
export interface PendingHour {
  /** The start of the hour, Unix milliseconds. */
  readonly hour: number;
  /** Keys that were added, whether or not they were taken since. */
  readonly size: number;
  /** Tallies that were added. */
  readonly added: number;
  /**
   * Adds what is plain of a key, and gives its place; -1 where it takes more than there is room for, and nothing is
   * added. `about` names what the key was where the tally does not.
   */
  add(tally: UsageTally, about: (key: KeyId) => UsageAbout): number;
  /** Before the last tally that was added: the last time that its key was allowed, null for none. */
  readonly lastUsedBefore: number | null;
  /** Takes away what was just added there. */
  remove(place: number, tally: UsageTally, lastUsedBefore: number | null): void;
  /** The place of a key; -1 for none. */
  find(key: KeyId): number;
  /** The last time that it was allowed; null for none. */
  lastUsedAt(place: number): number | null;
  /** What waits there; null where nothing does. */
  tallyAt(place: number): PendingTally | null;
  keyAt(place: number): KeyId;
  aboutAt(place: number): UsageAbout;
  /** All that waits, by what keys were and why they were denied. */
  sums(): Iterable<PendingSum>;
  /** Keys of an owner of which something waits. */
  keysOf(owner: string): Iterable<KeyId>;
  /** Nothing waits there any more. */
  clear(place: number): void;
  /** By the keys, as their ids are sorted. */
  compare(one: number, other: number): number;
}

export type PendingTally = UsageTally & { readonly about: UsageAbout };

/** What waits of all keys that were the same. */
export interface PendingSum extends Pick<UsageTally, 'hour' | 'allowed' | 'denied'> {
  readonly about: UsageAbout;
}

const hourMs = 3_600_000;
const countMax = 0xffff_ffff;
const keysMax = 1 << 22;

export function createPendingHour(hour: number): PendingHour {
  let added = 0;
  let lastUsedBefore: number | null = null;
  const rows = createPendingRows();
  const { keyAt, read, write, sinceHourAt, reasonAt, addressAt, aboutPlaceAt, writeLast, writeNames } = rows;
  const addresses = createNames<string>((address) => address);
  const reasons = createNames<Reason>((reason) => reason);
  const abouts = createNames<UsageAbout>(({ owner, plan, scheme, environment }) =>
    JSON.stringify([owner, plan, scheme, environment]),
  );
  let lastAbout: UsageAbout | null = null;
  let lastAboutPlace = 0;

  function placeOfAbout(about: UsageAbout): number {
    // Most keys in a row are alike, each in words of its own.
    if (lastAbout === null || !isSameAbout(lastAbout, about)) {
      lastAbout = about;
      lastAboutPlace = abouts.placeOf(about);
    }
    return lastAboutPlace;
  }

  function lastUsedAt(place: number): number | null {
    const last = sinceHourAt(place);
    return last === 0 ? null : hour + last - 1;
  }

  return {
    hour,
    lastUsedAt,
    get size() {
      return rows.size;
    },
    get added() {
      return added;
    },
    get lastUsedBefore() {
      return lastUsedBefore;
    },
    add(tally, about) {
      const { key, addresses: from } = tally;
      if (from.length > 1 || tally.allowed >>> 0 !== tally.allowed || !parse(key)) return -1;
      const reason = onlyReason(tally);
      if (reason === null) return -1;
      const known = rows.seek();
      const isNew = known < 0;
      if (isNew && rows.size >= keysMax) return -1;
      const sinceHour = tally.lastUsedAt === null ? 0 : tally.lastUsedAt - hour + 1;
      if (sinceHour < 0 || sinceHour > hourMs || tally.allowed > 0 !== sinceHour > 0) return -1;
      const count = reason === '' ? 0 : (tally.denied[reason] as number);
      if (count >>> 0 !== count) return -1;
      const address = from[0];
      const named = {
        address: address === undefined ? 0 : addresses.placeOf(address),
        reason: reason === '' ? 0 : reasons.placeOf(reason),
        about: placeOfAbout(tally.about ?? about(key)),
      };
      if (named.about === 0 || (address !== undefined && named.address === 0)) return -1;
      if (named.reason > reasonsMax) return -1;
      if (!isNew) {
        if (isOther(addressAt(known), named.address)) return -1;
        if (isOther(reasonAt(known), named.reason) || aboutPlaceAt(known) !== named.about) return -1;
        if (read(known, allowedAt) + tally.allowed > countMax) return -1;
        if (read(known, denialsAt) + count > countMax) return -1;
      }
      const place = isNew ? rows.add() : known;
      added++;
      lastUsedBefore = isNew ? null : lastUsedAt(known);
      write(place, allowedAt, read(place, allowedAt) + tally.allowed);
      write(place, denialsAt, read(place, denialsAt) + count);
      writeLast(place, Math.max(sinceHour, sinceHourAt(place)), named.reason || reasonAt(place));
      writeNames(place, named.address || addressAt(place), named.about);
      return place;
    },
    remove(place, tally, usedBefore) {
      added--;
      write(place, allowedAt, read(place, allowedAt) - tally.allowed);
      const reason = onlyReason(tally);
      if (reason) write(place, denialsAt, read(place, denialsAt) - (tally.denied[reason] ?? 0));
      writeLast(place, usedBefore === null ? 0 : usedBefore - hour + 1, reasonAt(place));
    },
    find: (key) => (parse(key) ? rows.seek() : -1),
    tallyAt(place) {
      const [count, denied] = [read(place, allowedAt), read(place, denialsAt)];
      if (count === 0 && denied === 0) return null;
      const address = addressAt(place);
      return {
        ...{ key: keyAt(place), hour, allowed: count, observed: {} },
        denied: denied === 0 ? {} : { [reasons.at(reasonAt(place))]: denied },
        lastUsedAt: lastUsedAt(place),
        addresses: address === 0 ? [] : [addresses.at(address)],
        about: abouts.at(aboutPlaceAt(place)),
      };
    },
    keyAt,
    aboutAt: (place) => abouts.at(aboutPlaceAt(place)),
    *sums() {
      const found = new Map<number, [allowed: number, denials: number]>();
      for (let place = 0; place < rows.size; place++) {
        const name = aboutPlaceAt(place) * (namesMax + 1) + reasonAt(place);
        const counts = found.get(name);
        if (counts === undefined) found.set(name, [read(place, allowedAt), read(place, denialsAt)]);
        else {
          counts[0] += read(place, allowedAt);
          counts[1] += read(place, denialsAt);
        }
      }
      for (const [name, [count, denied]] of found) {
        if (count === 0 && denied === 0) continue;
        yield {
          ...{ about: abouts.at(Math.floor(name / (namesMax + 1))), hour, allowed: count },
          denied: denied === 0 ? {} : { [reasons.at(name % (namesMax + 1))]: denied },
        };
      }
    },
    *keysOf(owner) {
      for (let place = 0; place < rows.size; place++) {
        if (abouts.at(aboutPlaceAt(place)).owner === owner) yield keyAt(place);
      }
    },
    clear(place) {
      write(place, allowedAt, 0);
      write(place, denialsAt, 0);
      writeLast(place, 0, reasonAt(place));
    },
    compare: rows.compare,
  };
}

/** The reason of all denials, '' for none; null where there are more, or some were observed alone. */
function onlyReason({ denied, observed }: UsageTally): Reason | '' | null {
  let only: Reason | '' = '';
  for (const reason in denied) {
    if (only !== '') return null;
    only = reason as Reason;
  }
  for (const _ in observed) return null;
  return only;
}
