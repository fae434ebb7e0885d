import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import type { UsageAbout, UsageTally } from './usage-tally.ts';

/**
 * Tallies that are alike in all but these columns: of keys that within one hour were allowed and never denied, or denied
 * for one reason and never allowed, from one address at the most. Nearly all are of that kind; as objects, they take ten
 * times as long to make and to send.
 */
export interface PlainTallies {
  /** The start of the hour, Unix milliseconds. */
  readonly hour: number;
  /** Joined by spaces, of which none has one. */
  readonly keys: string;
  /** How often each was allowed, or denied. */
  readonly counts: Uint32Array;
  /** Why it was denied; an empty text where it was allowed. */
  readonly reasons: Column<Reason | ''>;
  /** Milliseconds since the hour began; 0 where it was denied. */
  readonly lastUsed: Uint32Array;
  /** An empty text for none. */
  readonly addresses: Column<string>;
  /** What the keys were, in two parts: owners are many, and what else is told differs little; null where it is not. */
  readonly owners: Column<string | null>;
  readonly terms: Column<UsageTerms | null>;
}

export type UsageTerms = Omit<UsageAbout, 'owner'>;

/** Values that many have in common, and which of them each has. */
export interface Column<Value> {
  readonly known: readonly Value[];
  readonly places: Uint32Array;
}

/** Gathers {@link PlainTallies}. */
export interface PlainColumns {
  /** `count` is below 2^32, and `lastUsed` within the hour. */
  add(key: KeyId, counts: PlainCounts, about: UsageAbout | undefined): void;
  readonly size: number;
  /** What was added; nothing is to be added after it. */
  tallies(): PlainTallies;
}

export interface PlainCounts {
  readonly count: number;
  readonly reason: Reason | '';
  readonly lastUsed: number;
  /** An empty text for none. */
  readonly address: string;
}

export const none: UsageTally['denied'] = Object.freeze({});

/** @param sizeMax of all that is added */
export function createPlainColumns(hour: number, sizeMax: number): PlainColumns {
  const keys: KeyId[] = [];
  const [counted, lastUsed] = [new Uint32Array(sizeMax), new Uint32Array(sizeMax)];
  const reasons = createColumn<Reason | ''>(sizeMax);
  const addresses = createColumn<string>(sizeMax);
  const owners = createColumn<string | null>(sizeMax);
  const terms = { known: [] as (UsageTerms | null)[], places: new Uint32Array(sizeMax) };

  return {
    add(key, counts, about) {
      const at = keys.length;
      keys.push(key);
      counted[at] = counts.count;
      reasons.places[at] = reasons.placeOf(counts.reason);
      lastUsed[at] = counts.lastUsed;
      addresses.places[at] = addresses.placeOf(counts.address);
      owners.places[at] = owners.placeOf(about?.owner ?? null);
      terms.places[at] = placeOfTerms(terms.known, about);
    },
    get size() {
      return keys.length;
    },
    tallies() {
      const { length } = keys;
      // A view would be sent with all that lies behind it.
      const filled = (column: Uint32Array) => (length === sizeMax ? column : column.slice(0, length));
      return {
        ...{ hour, keys: keys.join(' '), counts: filled(counted), lastUsed: filled(lastUsed) },
        reasons: { known: reasons.known, places: filled(reasons.places) },
        addresses: { known: addresses.known, places: filled(addresses.places) },
        owners: { known: owners.known, places: filled(owners.places) },
        terms: { known: terms.known, places: filled(terms.places) },
      };
    },
  };
}

/** Each value is sent once: to send it again, and to read it there, takes longer than to look for it here. */
function createColumn<Value>(sizeMax: number) {
  const known: Value[] = [];
  const placesOfKnown = new Map<Value, number>();
  return {
    known,
    places: new Uint32Array(sizeMax),
    placeOf(value: Value): number {
      const before = placesOfKnown.get(value);
      if (before !== undefined) return before;
      const place = known.push(value) - 1;
      placesOfKnown.set(value, place);
      return place;
    },
  };
}

/** There are few: those of each plan, scheme and environment. */
function placeOfTerms(known: (UsageTerms | null)[], about: UsageAbout | undefined): number {
  for (let place = 0; place < known.length; place++) {
    const terms = known[place] as UsageTerms | null;
    if (about === undefined ? terms === null : terms !== null && isSame(terms, about)) return place;
  }
  if (about === undefined) return known.push(null) - 1;
  const { plan, scheme, environment } = about;
  return known.push({ plan, scheme, environment }) - 1;
}

function isSame(one: UsageTerms, other: UsageTerms): boolean {
  return one.plan === other.plan && one.scheme === other.scheme && one.environment === other.environment;
}

/** They share what they have in common: nobody may change them. */
export function talliesOf(columns: PlainTallies): UsageTally[] {
  const { hour, keys, counts, reasons, lastUsed, addresses } = columns;
  const { length } = counts;
  if (length === 0) return [];
  const ids = keys.split(' ') as KeyId[];
  const lists = addresses.known.map((address) => (address === '' ? [] : [address]));
  const tallies: UsageTally[] = [];
  let about: UsageAbout | undefined;
  for (let at = 0; at < length; at++) {
    // Keys one after another are often alike, and then share what they were.
    if (at === 0 || !isAlike(columns, at)) about = aboutAt(columns, at);
    const reason = reasons.known[reasons.places[at] as number] as Reason | '';
    const count = counts[at] as number;
    // Without spreads, which take as long as all the rest.
    tallies.push({
      key: ids[at] as KeyId,
      hour,
      allowed: reason === '' ? count : 0,
      denied: reason === '' ? none : { [reason]: count },
      observed: none,
      lastUsedAt: reason === '' ? hour + (lastUsed[at] as number) : null,
      addresses: lists[addresses.places[at] as number] as string[],
      about,
    });
  }
  return tallies;
}

/** Whether it was what the one before it was. */
function isAlike({ owners, terms }: PlainTallies, at: number): boolean {
  return owners.places[at] === owners.places[at - 1] && terms.places[at] === terms.places[at - 1];
}

function aboutAt({ owners, terms }: PlainTallies, at: number): UsageAbout | undefined {
  const told = terms.known[terms.places[at] as number] ?? null;
  if (told === null) return undefined;
  const { plan, scheme, environment } = told;
  return { owner: owners.known[owners.places[at] as number] ?? null, plan, scheme, environment };
}
