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

const hourMs = 3_600_000;
const countMax = 0xffff_ffff;
const keysMax = 1 << 22;
export function createPendingHour(hour: number): PendingHour {
  let capacity = 16;
  let size = 0;
  let added = 0;
  let lastUsedBefore: number | null = null;
  const index = new HashedSlots();
  let ids = new Int32Array(words * capacity);
  let allowed = new Uint32Array(capacity);
  /** Milliseconds since the hour began, and one; 0 for never. */
  let last = new Uint32Array(capacity);
  let denials = new Uint32Array(capacity);
  let names = new Uint16Array(3 * capacity);
  const addresses = createNames<string>((address) => address);
  const reasons = createNames<Reason>((reason) => reason);
  const abouts = createNames<UsageAbout>(({ owner, plan, scheme, environment }) =>
    JSON.stringify([owner, plan, scheme, environment]),
  );
  let lastAbout: UsageAbout | null = null;
  let lastAboutPlace = 0;

  function isParsed(place: number): boolean {
    for (let word = 0; word < words; word++) if (ids[words * place + word] !== parsed[word]) return false;
    return true;
  }

  /** The place of what is parsed; -1 for none. */
  function seek(): number {
    return index.find(hashOfParsed(), isParsed);
  }

  function grow(): void {
    capacity *= 2;
    ids = copied(new Int32Array(words * capacity), ids);
    allowed = copied(new Uint32Array(capacity), allowed);
    last = copied(new Uint32Array(capacity), last);
    denials = copied(new Uint32Array(capacity), denials);
    names = copied(new Uint16Array(3 * capacity), names);
  }

  function placeOfAbout(about: UsageAbout): number {
    // Most keys in a row are alike, each in words of its own.
    if (lastAbout === null || !isSameAbout(lastAbout, about)) {
      lastAbout = about;
      lastAboutPlace = abouts.placeOf(about);
    }
    return lastAboutPlace;
  }

  const lastUsedAt = (place: number) => (last[place] === 0 ? null : hour + (last[place] as number) - 1);

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
      const [address] = from;
      const named = {
        address: address === undefined ? 0 : addresses.placeOf(address),
        reason: reason === '' ? 0 : reasons.placeOf(reason),
        about: placeOfAbout(tally.about ?? about(key)),
      };
      if (named.about === 0 || (address !== undefined && named.address === 0)) return -1;
      if (!isNew) {
        const before = 3 * known;
        if (isOther(names[before] as number, named.address)) return -1;
        if (isOther(names[before + 1] as number, named.reason) || names[before + 2] !== named.about)
          return -1;
        if ((allowed[known] as number) + tally.allowed > countMax) return -1;
        if ((denials[known] as number) + count > countMax) return -1;
      }
      const place = isNew ? size++ : known;
      added++;
      lastUsedBefore = isNew ? null : lastUsedAt(known);
      if (isNew) {
        if (size > capacity) grow();
        ids.set(parsed, words * place);
        index.add(hashOfParsed(), place);
      }
      allowed[place] = (allowed[place] as number) + tally.allowed;
      denials[place] = (denials[place] as number) + count;
      if (sinceHour > (last[place] as number)) last[place] = sinceHour;
      if (named.address !== 0) names[3 * place] = named.address;
      if (named.reason !== 0) names[3 * place + 1] = named.reason;
      names[3 * place + 2] = named.about;
      return place;
    },
    remove(place, tally, usedBefore) {
      added--;
      allowed[place] = (allowed[place] as number) - tally.allowed;
      const reason = onlyReason(tally);
      if (reason) denials[place] = (denials[place] as number) - (tally.denied[reason] ?? 0);
      last[place] = usedBefore === null ? 0 : usedBefore - hour + 1;
    },
    find: (key) => (parse(key) ? seek() : -1),
    tallyAt(place) {
      const [count, denied] = [allowed[place] as number, denials[place] as number];
      if (count === 0 && denied === 0) return null;
      const [address, reason, about] = names.subarray(3 * place, 3 * place + 3);
      return {
        ...{ key: textOf(ids, words * place), hour, allowed: count, observed: {} },
        denied: denied === 0 ? {} : { [reasons.at(reason as number)]: denied },
        lastUsedAt: lastUsedAt(place),
        addresses: address === 0 ? [] : [addresses.at(address as number)],
        about: abouts.at(about as number),
      };
    },
    keyAt: (place) => textOf(ids, words * place),
    aboutAt: (place) => abouts.at(names[3 * place + 2] as number),
    *sums() {
      const found = new Map<number, [allowed: number, denials: number]>();
      for (let place = 0; place < size; place++) {
        const name = (names[3 * place + 2] as number) * (namesMax + 1) + (names[3 * place + 1] as number);
        const counts = found.get(name);
        if (counts === undefined) found.set(name, [allowed[place] as number, denials[place] as number]);
        else {
          counts[0] += allowed[place] as number;
          counts[1] += denials[place] as number;
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
        if (abouts.at(names[3 * place + 2] as number).owner === owner) yield textOf(ids, words * place);
      }
    },
    clear(place) {
      allowed[place] = 0;
      denials[place] = 0;
      last[place] = 0;
    },
    compare(one, other) {
      for (let word = 0; word < words; word++) {
        const difference = (ids[words * one + word] as number) - (ids[words * other + word] as number);
        if (difference !== 0) return difference;
      }
      return 0;
    },
  };
}

function copied<Column extends Int32Array | Uint32Array | Uint16Array>(to: Column, from: Column): Column {
  to.set(from);
  return to;
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
