import type { UsageTally } from '../../store/usage/usage-tally.ts';

/** Of the keys of a fold those whose own documents are to say when they were used last, other ones each time. */
export type Touching = (tallies: readonly UsageTally[]) => readonly UsageTally[];

/** Of the whole fleet: one replica folds for all. */
export const touchesPerSecond = 500;
/** What is left of some seconds. */
const touchesMax = 1_000;

/**
 * A last use is known from open documents, too, and each key's own is written once more when the hour is over: here it is kept near
 * to the truth for lists in its order. All of up to a thousand keys in two seconds; of more, any key as
 * often as any other.
 */
export function createTouching(monotonic: () => number): Touching {
  let left = touchesMax;
  let countedAt = monotonic();

  return (tallies) => {
    const now = monotonic();
    left = Math.min(left + ((now - countedAt) * touchesPerSecond) / 1_000, touchesMax);
    countedAt = now;
    const used = tallies.filter(({ lastUsedAt }) => lastUsedAt !== null);
    const count = Math.min(Math.floor(left), used.length);
    left -= count;
    if (count === used.length) return used;
    const step = used.length / count;
    const first = Math.random() * step;
    return Array.from({ length: count }, (_, at) => used[Math.floor(first + at * step)] as UsageTally);
  };
}
