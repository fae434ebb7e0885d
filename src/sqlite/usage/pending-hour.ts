import { HashedSlots } from '../../cache/hashed-slots.ts';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { isSameAbout, type UsageAbout, type UsageTally } from '../../store/usage/usage-tally.ts';
import { hashOfParsed, parse, parsed, textOf, words } from './id-words.ts';
import { createNames, isOther, namesMax } from './names.ts';

/**
 * Use of one hour that no row has yet: of each key one allowed use or more from one address, and denials for one
 * reason. In columns, as a million keys may be in it: some 50 bytes for each.
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

/**
 * A row side by side, so that it is one read from far away. Behind the id: allowed and denied uses; the last one in
 * milliseconds since the hour began, and one, 0 for never; and the names of the address, the reason and what the key was.
 */
const [allowedAt, denialsAt, lastAt, addressAt] = [words, words + 1, words + 2, words + 3];
const [reasonAt, aboutPlaceAt, rowWords] = [words + 4, words + 5, words + 6];
const hourMs = 3_600_000;
const countMax = 0xffff_ffff;
const keysMax = 1 << 22;
/** One array of all would be copied as a whole each time it grows, and left to a collection of garbage. */
const chunkRows = 1_024;
const startOf = (place: number) => (place % chunkRows) * rowWords;

export function createPendingHour(hour: number): PendingHour {
  let [size, added] = [0, 0];
  let lastUsedBefore: number | null = null;
  const index = new HashedSlots();
  /** Of as many rows of {@link rowWords}, in which the id comes first. */
  const chunks: Int32Array[] = [];
  const addresses = createNames<string>((address) => address);
  const reasons = createNames<Reason>((reason) => reason);
  const abouts = createNames<UsageAbout>(({ owner, plan, scheme, environment }) =>
    JSON.stringify([owner, plan, scheme, environment]),
  );
  let lastAbout: UsageAbout | null = null;
  let lastAboutPlace = 0;

  function isParsed(place: number): boolean {
    const [chunk, start] = [chunkOf(place), startOf(place)];
    for (let word = 0; word < words; word++) if (chunk[start + word] !== parsed[word]) return false;
    return true;
  }

  /** The place of what is parsed; -1 for none. */
  function seek(): number {
    return index.find(hashOfParsed(), isParsed);
  }

  function chunkOf(place: number): Int32Array {
    return chunks[Math.trunc(place / chunkRows)] as Int32Array;
  }

  const keyAt = (place: number) => textOf(chunkOf(place), startOf(place));

  /** Of the key that is parsed. */
  function addRow(): number {
    const place = size++;
    if (place % chunkRows === 0) chunks.push(new Int32Array(rowWords * chunkRows));
    chunkOf(place).set(parsed, startOf(place));
    index.add(hashOfParsed(), place);
    return place;
  }

  /** Up to 2^32. */
  function read(place: number, word: number): number {
    return (chunkOf(place)[startOf(place) + word] as number) >>> 0;
  }

  function write(place: number, word: number, value: number): void {
    chunkOf(place)[startOf(place) + word] = value;
  }

  function placeOfAbout(about: UsageAbout): number {
    // Most keys in a row are alike, each in words of its own.
    if (lastAbout === null || !isSameAbout(lastAbout, about)) {
      lastAbout = about;
      lastAboutPlace = abouts.placeOf(about);
    }
    return lastAboutPlace;
  }

  function lastUsedAt(place: number): number | null {
    const last = read(place, lastAt);
    return last === 0 ? null : hour + last - 1;
  }

  return {
    hour,
    lastUsedAt,
    get size() {
      return size;
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
      const known = seek();
      const isNew = known < 0;
      if (isNew && size >= keysMax) return -1;
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
      if (!isNew) {
        if (isOther(read(known, addressAt), named.address)) return -1;
        if (isOther(read(known, reasonAt), named.reason) || read(known, aboutPlaceAt) !== named.about)
          return -1;
        if (read(known, allowedAt) + tally.allowed > countMax) return -1;
        if (read(known, denialsAt) + count > countMax) return -1;
      }
      const place = isNew ? addRow() : known;
      added++;
      lastUsedBefore = isNew ? null : lastUsedAt(known);
      write(place, allowedAt, read(place, allowedAt) + tally.allowed);
      write(place, denialsAt, read(place, denialsAt) + count);
      if (sinceHour > read(place, lastAt)) write(place, lastAt, sinceHour);
      if (named.address !== 0) write(place, addressAt, named.address);
      if (named.reason !== 0) write(place, reasonAt, named.reason);
      write(place, aboutPlaceAt, named.about);
      return place;
    },
    remove(place, tally, usedBefore) {
      added--;
      write(place, allowedAt, read(place, allowedAt) - tally.allowed);
      const reason = onlyReason(tally);
      if (reason) write(place, denialsAt, read(place, denialsAt) - (tally.denied[reason] ?? 0));
      write(place, lastAt, usedBefore === null ? 0 : usedBefore - hour + 1);
    },
    find: (key) => (parse(key) ? seek() : -1),
    tallyAt(place) {
      const [count, denied] = [read(place, allowedAt), read(place, denialsAt)];
      if (count === 0 && denied === 0) return null;
      const address = read(place, addressAt);
      return {
        ...{ key: keyAt(place), hour, allowed: count, observed: {} },
        denied: denied === 0 ? {} : { [reasons.at(read(place, reasonAt))]: denied },
        lastUsedAt: lastUsedAt(place),
        addresses: address === 0 ? [] : [addresses.at(address)],
        about: abouts.at(read(place, aboutPlaceAt)),
      };
    },
    keyAt,
    aboutAt: (place) => abouts.at(read(place, aboutPlaceAt)),
    *sums() {
      const found = new Map<number, [allowed: number, denials: number]>();
      for (let place = 0; place < size; place++) {
        const name = read(place, aboutPlaceAt) * (namesMax + 1) + read(place, reasonAt);
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
      for (let place = 0; place < size; place++) {
        if (abouts.at(read(place, aboutPlaceAt)).owner === owner) yield keyAt(place);
      }
    },
    clear(place) {
      write(place, allowedAt, 0);
      write(place, denialsAt, 0);
      write(place, lastAt, 0);
    },
    compare(one, other) {
      for (let word = 0; word < words; word++) {
        const difference = read(one, word) - read(other, word);
        if (difference !== 0) return difference;
      }
      return 0;
    },
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
