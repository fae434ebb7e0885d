import { addReasons } from '../../../store/usage/usage-ranking.ts';
import { addressesMax, type UsageTally, type Writable } from '../../../store/usage/usage-tally.ts';

/** Tallies that are added up, one of each key and hour. */
export interface TallySums {
  add(tallies: Iterable<UsageTally>): void;
  all(): UsageTally[];
}

interface HourSums {
  /** The first of each key, which is somebody else's object. */
  readonly firsts: Map<string, UsageTally>;
  /** Of keys that have several, in their place. */
  readonly sums: Map<string, Writable<UsageTally>>;
}

/** By the hour and then the key: no name has to be made of both, nor a new object with each addition. */
export function createTallySums(): TallySums {
  const hours = new Map<number, HourSums>();
  return {
    add(tallies) {
      for (const tally of tallies) {
        const { key, hour } = tally;
        const ofHour = hours.get(hour) ?? { firsts: new Map(), sums: new Map() };
        if (ofHour.firsts.size === 0) hours.set(hour, ofHour);
        const { firsts, sums } = ofHour;
        const first = firsts.get(key);
        if (first === undefined) {
          firsts.set(key, tally);
          continue;
        }
        const known = sums.get(key);
        const sum = known ?? { ...first };
        if (known === undefined) sums.set(key, sum);
        addTo(sum, tally);
      }
    },
    all: () =>
      [...hours.values()].flatMap(({ firsts, sums }) =>
        Array.from(firsts.values(), (first) => sums.get(first.key) ?? first),
      ),
  };
}

/** One tally of each key and hour. */
export function sumsOf(tallies: Iterable<UsageTally>): UsageTally[] {
  const sums = createTallySums();
  sums.add(tallies);
  return sums.all();
}

function addTo(
  sum: Writable<UsageTally>,
  { allowed, denied, observed, lastUsedAt, addresses }: UsageTally,
): void {
  sum.allowed += allowed;
  sum.denied = addReasons(sum.denied, denied);
  sum.observed = addReasons(sum.observed, observed);
  if (lastUsedAt !== null) sum.lastUsedAt = Math.max(sum.lastUsedAt ?? lastUsedAt, lastUsedAt);
  sum.addresses = addressesOf(sum.addresses, addresses);
}

function addressesOf(one: UsageTally['addresses'], other: UsageTally['addresses']): UsageTally['addresses'] {
  if (other.every((address) => one.includes(address))) return one;
  return [...new Set([...one, ...other])].slice(0, addressesMax);
}
