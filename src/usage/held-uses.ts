import { isIP } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { CheckedKey, HeldUse } from '../keys/key.ts';
import type { UsageTally } from '../store/usage/usage-tally.ts';

/** What keys in memory were allowed for, counted beside each key. */
export interface HeldUses {
  /**
   * Counts one use that was allowed; false where it cannot be counted here: the key is not held, or what waits of it is
   * of another hour, address or plan.
   */
  count(key: CheckedKey, plan: string | null, address: string, now: number): boolean;
  /** Keys of which something waits. */
  readonly size: number;
  /**
   * All that waits now, by hour and within it by key, at most `size` at a time. What a batch has is counted here no
   * more; what is not asked for goes on waiting.
   */
  batches(size: number): AsyncGenerator<UsageTally[], void>;
}

const hourMs = 3_600_000;
/** The longest text of an IPv6 address, with an IPv4 one at its end. */
const addressLengthMax = 45;
const none: UsageTally['denied'] = Object.freeze({});
/** Keys that are looked at before others have the thread: a fraction of a millisecond. */
const keysAtOnce = 1_000;

type HeldKey = CheckedKey & HeldUse;

/** Addresses that came lately, by their ends: keys that are used from one address hold one text of it. */
const recent: string[] = new Array(1_024).fill('');

function shared(address: string): string {
  const { length } = address;
  const place = (address.charCodeAt(length - 1) | (address.charCodeAt(length - 2) << 4)) & 1_023;
  if (recent[place] !== address) recent[place] = address;
  return recent[place] as string;
}

/** @param keysMax of which something may wait; of more the use is not counted here until some are written */
export function createHeldUses(keysMax: number): HeldUses {
  let used: HeldKey[] = [];
  /** Of those that are being taken. */
  let taking = 0;

  return {
    count(key, plan, address, now) {
      if (!isHeld(key)) return false;
      const hour = Math.floor(now / hourMs);
      // What a subtraction makes is a number with a place of its own, which the key would hold; this makes it a small one.
      const sinceHour = (now - hour * hourMs) | 0;
      if (key.uses === 0) {
        if (used.length + taking >= keysMax || address.length > addressLengthMax) return false;
        used.push(key);
        key.useHour = hour;
        key.lastUseMs = sinceHour;
        key.useAddress = shared(address);
        key.usePlan = plan;
      } else if (key.useHour !== hour || key.useAddress !== address || key.usePlan !== plan) return false;
      key.uses++;
      if (sinceHour > key.lastUseMs) key.lastUseMs = sinceHour;
      return true;
    },
    get size() {
      return used.length + taking;
    },
    async *batches(size) {
      const waiting = used;
      used = [];
      taking = waiting.length;
      const ranges = await inRanges(waiting);
      let rest: HeldKey[] = [];
      try {
        while (ranges.length > 0) {
          const range = ranges.shift() as HeldKey[];
          rest.push(...range.sort(compare));
          while (rest.length >= size || (ranges.length === 0 && rest.length > 0)) {
            const batch = rest.slice(0, size);
            rest = rest.slice(size);
            taking -= batch.length;
            yield batch.map(takenFrom);
          }
        }
      } finally {
        for (const left of [rest, ...ranges]) for (const key of left) used.push(key);
        taking = 0;
      }
    },
  };
}

function isHeld(key: CheckedKey): key is HeldKey {
  return key.uses !== undefined && key.uses >= 0;
}

/** What waits of the key, which then counts anew. */
function takenFrom(key: HeldKey): UsageTally {
  const { id, uses, useHour, lastUseMs, useAddress, usePlan: plan } = key;
  const { owner, scheme, environment } = key;
  key.uses = 0;
  key.useAddress = '';
  const isAddress = isIP(useAddress) !== 0 && !useAddress.includes('%');
  const hour = useHour * hourMs;
  return {
    ...{ key: id, hour, allowed: uses, denied: none, observed: none },
    ...{ lastUsedAt: hour + lastUseMs, addresses: isAddress ? [useAddress] : [] },
    about: { owner, plan, scheme, environment },
  };
}

/**
 * The keys in ranges of about as many as are looked at at once, each of which is sorted when its turn has come: all of
 * them at once would hold the thread for a tenth of a second.
 */
async function inRanges(keys: readonly HeldKey[]): Promise<HeldKey[][]> {
  const count = Math.ceil(keys.length / keysAtOnce);
  // Four samples for each range: ranges then differ little.
  const samples = Array.from(
    { length: 4 * count },
    (_, at) => keys[Math.floor((at * keys.length) / (4 * count))] as HeldKey,
  ).sort(compare);
  const limits = Array.from({ length: Math.max(0, count - 1) }, (_, at) => samples[4 * (at + 1)] as HeldKey);
  const ranges = Array.from({ length: count }, (): HeldKey[] => []);
  for (const [at, key] of keys.entries()) {
    if (at % keysAtOnce === keysAtOnce - 1) await setImmediate();
    ranges[rangeOf(key, limits)]?.push(key);
  }
  return ranges;
}

/** How many limits the key does not stand before. */
function rangeOf(key: HeldKey, limits: readonly HeldKey[]): number {
  let [low, high] = [0, limits.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(key, limits[middle] as HeldKey) < 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

function compare(one: HeldKey, other: HeldKey): number {
  if (one.useHour !== other.useHour) return one.useHour - other.useHour;
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0;
}
