import { setImmediate } from 'node:timers/promises';
import type { CheckedKey, HeldKeys, HeldUse, KeyId } from '../keys/key.ts';
import type { Reason } from '../schemes/answer.ts';
import { createPlainColumns, type PlainColumns, type PlainTallies } from '../store/usage/plain-tallies.ts';
import { type InOrder, inParts, orderOf, type Unordered } from './id-order.ts';
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
interface UsedKeys extends Unordered {
  readonly heldBy: HeldKeys;
  /** When it began, Unix milliseconds. */
  readonly hour: number;
}

/** @param keysMax of which something may wait; of more the use is not counted here until some are written */
export function createHeldUses(keysMax: number): HeldUses {
  let waitingKeys: UsedKeys[] = [];
  /** Those of the latest use. */
  let used: UsedKeys | null = null;
  let waiting = 0;
  const addresses = createRecentAddresses();
  const kinds = createUseKinds();

  function usedIn(hour: number, heldBy: HeldKeys): UsedKeys {
    for (const known of waitingKeys) if (known.hour === hour && known.heldBy === heldBy) return known;
    const made = { hour, heldBy, places: [], orders: [] };
    waitingKeys.push(made);
    return made;
  }

  /** What waits of the key there, which then counts anew. */
  function take({ hour, heldBy }: UsedKeys, place: number, id: KeyId, into: PlainColumns): void {
    const { owner, scheme, environment, uses: count, useAddress, useKind, lastUse } = heldBy.takeUse(place);
    const { plan, reason } = kinds.at(useKind);
    const lastUsed = reason === null ? (lastUse - hour) | 0 : 0;
    const counts = { count, reason: reason ?? '', lastUsed, address: addresses.known(useAddress) } as const;
    into.add(id, counts, { owner, plan, scheme, environment });
    waiting--;
  }

  async function* batchesOf(taken: UsedKeys, size: number): AsyncGenerator<PlainTallies, void> {
    const { hour } = taken;
    let part: InOrder | null = null;
    let at = 0;
    const nextPart = await inParts(taken);
    try {
      let columns = createPlainColumns(hour, size);
      for (part = nextPart(); part !== null; part = nextPart()) {
        const { places, ids } = part;
        for (at = 0; at < places.length; at++) {
          if (columns.size === size) {
            yield columns.tallies();
            columns = createPlainColumns(hour, size);
          }
          take(taken, places[at] as number, ids[at] as KeyId, columns);
        }
        await setImmediate();
      }
      if (columns.size > 0) yield columns.tallies();
    } finally {
      // What is in columns was asked for, since it ends early at a full one alone.
      for (; part !== null; part = nextPart(), at = 0)
        for (const place of part.places.slice(at)) putBack(taken, place);
    }
  }

  function putBack({ hour, heldBy }: UsedKeys, place: number): void {
    const { places, orders } = usedIn(hour, heldBy);
    places.push(place);
    orders.push(orderOf(heldBy.idAt(place)));
  }

  return {
    count(key, outcome, address, now) {
      if (!isHeld(key)) return false;
      if (used === null || now < used.hour || now >= used.hour + hourMs || key.heldBy !== used.heldBy)
        used = usedIn(now - (now % hourMs), key.heldBy);
      const { uses } = key;
      if (uses === 0) {
        const kind = kinds.placeOf(outcome);
        if (waiting >= keysMax || address.length > addressLengthMax || kind < 0) return false;
        waiting++;
        used.places.push(key.place);
        used.orders.push(orderOf(key.id));
        key.lastUse = now | 0;
        key.useAddress = addresses.shared(address);
        key.useKind = kind;
      } else if (key.useAddress !== address || !isSame(kinds.at(key.useKind), outcome)) return false;
      else {
        const sinceHour = (key.lastUse - used.hour) | 0;
        if (sinceHour < 0 || sinceHour >= hourMs) return false;
        if (now - used.hour > sinceHour) key.lastUse = now | 0;
      }
      key.uses = uses + 1;
      return true;
    },
    get size() {
      return waiting;
    },
    async *batches(size) {
      const taken = waitingKeys.sort((one, other) => one.hour - other.hour);
      waitingKeys = [];
      used = null;
      let at = 0;
      try {
        for (; at < taken.length; at++) yield* batchesOf(taken[at] as UsedKeys, size);
      } finally {
        for (const left of taken.slice(at + 1)) for (const place of left.places) putBack(left, place);
      }
    },
  };
}

/** By what name a use is kept beside its key: as many as there are plans and reasons. */
interface UseKinds {
  /** Below 0 past the most that are kept apart. */
  placeOf(outcome: HeldOutcome): number;
  at(place: number): HeldOutcome;
}

const kindsMax = 10_000;

function createUseKinds(): UseKinds {
  const kinds: HeldOutcome[] = [];
  const places = new Map<string | null, Map<Reason | null, number>>();
  let latest = -1;

  return {
    placeOf(outcome) {
      const { plan, reason } = outcome;
      if (latest >= 0 && isSame(kinds[latest] as HeldOutcome, outcome)) return latest;
      const ofPlan = places.get(plan) ?? new Map<Reason | null, number>();
      const known = ofPlan.get(reason);
      if (known === undefined && kinds.length >= kindsMax) return -1;
      latest = known ?? kinds.push({ plan, reason }) - 1;
      ofPlan.set(reason, latest);
      places.set(plan, ofPlan);
      return latest;
    },
    at: (place) => kinds[place] as HeldOutcome,
  };
}

function isSame(one: HeldOutcome, other: HeldOutcome): boolean {
  return one.plan === other.plan && one.reason === other.reason;
}

function isHeld(key: CheckedKey): key is HeldKey {
  return key.uses !== undefined && key.uses >= 0;
}
