import { setImmediate } from 'node:timers/promises';
import type { CheckedKey, HeldUse } from '../keys/key.ts';
import type { Reason } from '../schemes/answer.ts';
import { createPlainColumns, type PlainColumns, type PlainTallies } from '../store/usage/plain-tallies.ts';
import { inParts, orderOf, type Unordered } from './id-order.ts';
import { createRecentAddresses } from './recent-addresses.ts';

/** What keys in memory were allowed for, or denied, counted beside each key. */
export interface HeldUses {
  /**
   * Counts one use that was allowed, or denied for that reason; false where it cannot be counted here: the key is not
   * held, or what waits of it is of another hour, outcome, address or plan.
   */
  count(key: CheckedKey, use: HeldOutcome, address: string, now: number): boolean;
  /** Keys of which something waits. */
  readonly size: number;
  /**
   * All that waits now, by hour and within it by key, at most `size` at a time. What a batch has is counted here no
   * more; what is not asked for goes on waiting.
   */
  batches(size: number): AsyncGenerator<PlainTallies, void>;
}

export interface HeldOutcome {
  /** Null for one that was allowed. */
  readonly reason: Reason | null;
  readonly plan: string | null;
}

const hourMs = 3_600_000;
/** The longest text of an IPv6 address, with an IPv4 one at its end. */
const addressLengthMax = 45;

type HeldKey = CheckedKey & HeldUse;

/** Keys that were used in one hour. */
interface UsedKeys extends Unordered<HeldKey> {
  /** When it began, Unix milliseconds. */
  readonly hour: number;
}

/** @param keysMax of which something may wait; of more the use is not counted here until some are written */
export function createHeldUses(keysMax: number): HeldUses {
  /** By the hour in which they were used. */
  let hours = new Map<number, UsedKeys>();
  /** The hour of the latest use. */
  let used = usedIn(0);
  let waiting = 0;
  const addresses = createRecentAddresses();

  function usedIn(hour: number): UsedKeys {
    let found = hours.get(hour);
    if (found === undefined) {
      found = { hour, keys: [], orders: [] };
      hours.set(hour, found);
    }
    return found;
  }

  /** What waits of the key, which then counts anew. */
  function take(key: HeldKey, hour: number, into: PlainColumns): void {
    const { id, owner, scheme, environment, uses: count, usePlan: plan, useAddress } = key;
    const reason = key.useReason as Reason | '';
    const lastUsed = reason === '' ? (key.lastUse - hour) | 0 : 0;
    const counts = { count, reason, lastUsed, address: addresses.known(useAddress) };
    into.add(id, counts, { owner, plan, scheme, environment });
    key.uses = 0;
    key.useAddress = '';
    waiting--;
  }

  async function* batchesOf(taken: UsedKeys, size: number): AsyncGenerator<PlainTallies, void> {
    const { hour } = taken;
    let part: HeldKey[] | null = [];
    let at = 0;
    const nextPart = await inParts(taken);
    try {
      let columns = createPlainColumns(hour, size);
      for (part = nextPart(); part !== null; part = nextPart()) {
        for (at = 0; at < part.length; ) {
          take(part[at++] as HeldKey, hour, columns);
          if (columns.size < size) continue;
          yield columns.tallies();
          columns = createPlainColumns(hour, size);
        }
        await setImmediate();
      }
      if (columns.size > 0) yield columns.tallies();
    } finally {
      // What is in columns was asked for, since it ends early at a full one alone.
      for (; part !== null; part = nextPart(), at = 0) for (const key of part.slice(at)) putBack(key, hour);
    }
  }

  function putBack(key: HeldKey, hour: number): void {
    const { keys, orders } = usedIn(hour);
    keys.push(key);
    orders.push(orderOf(key.id));
  }

  return {
    count(key, { reason, plan }, address, now) {
      if (!isHeld(key)) return false;
      if (now < used.hour || now >= used.hour + hourMs) used = usedIn(now - (now % hourMs));
      if (key.uses === 0) {
        if (waiting >= keysMax || address.length > addressLengthMax) return false;
        waiting++;
        used.keys.push(key);
        used.orders.push(orderOf(key.id));
        key.lastUse = now | 0;
        key.useAddress = addresses.shared(address);
        key.usePlan = plan;
        key.useReason = reason ?? '';
      } else if (key.useAddress !== address || key.usePlan !== plan) return false;
      else if (key.useReason !== (reason ?? '')) return false;
      else {
        const sinceHour = (key.lastUse - used.hour) | 0;
        if (sinceHour < 0 || sinceHour >= hourMs) return false;
        if (now - used.hour > sinceHour) key.lastUse = now | 0;
      }
      key.uses++;
      return true;
    },
    get size() {
      return waiting;
    },
    async *batches(size) {
      const taken = [...hours.values()].sort((one, other) => one.hour - other.hour);
      hours = new Map();
      used = usedIn(used.hour);
      let at = 0;
      try {
        for (; at < taken.length; at++) yield* batchesOf(taken[at] as UsedKeys, size);
      } finally {
        for (const { hour, keys } of taken.slice(at + 1)) for (const key of keys) putBack(key, hour);
      }
    },
  };
}

function isHeld(key: CheckedKey): key is HeldKey {
  return key.uses !== undefined && key.uses >= 0;
}
