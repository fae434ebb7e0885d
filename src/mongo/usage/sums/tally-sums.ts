import { addReasons } from '../../../store/usage/usage-ranking.ts';
import { addressesMax, type UsageTally } from '../../../store/usage/usage-tally.ts';

/** Tallies that are added up, one of each key and hour. */
export interface TallySums {
  add(tallies: Iterable<UsageTally>): void;
  all(): UsageTally[];
}

export function createTallySums(): TallySums {
  const sums = new Map<string, UsageTally>();
  return {
    add(tallies) {
      for (const tally of tallies) {
        const name = `${tally.key} ${tally.hour}`;
        const sum = sums.get(name);
        sums.set(name, sum === undefined ? tally : sumOf(sum, tally));
      }
    },
    all: () => [...sums.values()],
  };
}

/** One tally of each key and hour. */
export function sumsOf(tallies: Iterable<UsageTally>): UsageTally[] {
  const sums = createTallySums();
  sums.add(tallies);
  return sums.all();
}

function sumOf(one: UsageTally, other: UsageTally): UsageTally {
  const lastUsedAt = Math.max(one.lastUsedAt ?? 0, other.lastUsedAt ?? 0);
  return {
    ...{ key: one.key, hour: one.hour, allowed: one.allowed + other.allowed, about: one.about },
    denied: addReasons(one.denied, other.denied),
    observed: addReasons(one.observed, other.observed),
    lastUsedAt: one.lastUsedAt === null && other.lastUsedAt === null ? null : lastUsedAt,
    addresses: addressesOf(one.addresses, other.addresses),
  };
}

function addressesOf(one: UsageTally['addresses'], other: UsageTally['addresses']): UsageTally['addresses'] {
  if (other.every((address) => one.includes(address))) return one;
  return [...new Set([...one, ...other])].slice(0, addressesMax);
}
