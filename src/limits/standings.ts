import type { Limit } from '../keys/limit.ts';
import type { UnitStore } from '../store/units.ts';
import { type Anchored, type HeldWindow, ownerHolder, type Spender } from './accounts.ts';
import { counterId, isAnchored } from './counter.ts';
import { spanAt } from './period.ts';
import { judge, type Known, type RateVerdict } from './verdict.ts';

/** How keys stand with their limits, by what the store and the limiters of this replica know. */
export interface Standings {
  /** Of each limit, in their order. Rejects with `StoreUnavailable`. */
  of(
    key: Spender,
    owner: Anchored | null,
    limits: readonly Limit[],
    now: number,
  ): Promise<readonly UsedLimit[]>;
  /** What a Check of that cost would say, which spends nothing. */
  look(
    key: Spender,
    owner: Anchored | null,
    limits: readonly Limit[],
    cost: number,
    now: number,
  ): Promise<RateVerdict>;
}

export interface UsedLimit extends Known {
  /** Never less than what was spent; 0 or more. */
  readonly used: number;
  readonly window: HeldWindow;
  /** Leased by this replica and not spent. */
  readonly held: number;
}

export interface StandingsDependencies {
  readonly store: Pick<UnitStore, 'countUnits'>;
  /** What this replica holds of these windows, in their order. */
  readonly held: (windows: readonly HeldWindow[]) => Promise<readonly number[]>;
}

export function createStandings({ store, held }: StandingsDependencies): Standings {
  async function of(
    key: Spender,
    owner: Anchored | null,
    limits: readonly Limit[],
    now: number,
  ): Promise<readonly UsedLimit[]> {
    if (limits.length === 0) return [];
    const windows = limits.map((limit) => windowOf(key, owner, limit, now));
    const asked = windows.map((window, at) => unitWindow(window, limits[at] as Limit, key, now));
    // Before and after: what is given back in between is not told as unspent twice.
    const before = await store.countUnits(asked);
    const free = await held(windows);
    const after = await store.countUnits(asked);
    return limits.map((limit, at) => {
      const window = windows[at] as HeldWindow;
      const heldHere = free[at] ?? 0;
      const count = Math.max(before[at] ?? 0, after[at] ?? 0) - heldHere;
      const remaining = Math.max(0, limit.limit - count);
      const used = limit.per === 'total' ? count : Math.max(0, count);
      return { limit, start: window.start, end: window.end, remaining, used, window, held: heldHere };
    });
  }

  return {
    of,
    look: async (key, owner, limits, cost, now) => judge(await of(key, owner, limits, now), cost, now),
  };
}

/** The window of a limit that `now` lies in. */
export function windowOf(key: Spender, owner: Anchored | null, limit: Limit, now: number): HeldWindow {
  const isShared = limit.sharedBy === 'owner' && key.owner !== null;
  return {
    holder: isShared ? ownerHolder(key.owner ?? '') : key.spender,
    counter: counterId(limit, key.spender, key.owner),
    ...spanAt(limit.per, owner?.billingAnchor ?? null, now),
    limit: limit.limit,
  };
}

/** The same as the store is asked for it. */
export function unitWindow(
  { counter, start, end }: HeldWindow,
  { per }: Limit,
  { owner }: Spender,
  now: number,
) {
  return {
    ...{ spender: counter, windowStart: start, windowEnd: end },
    ...(owner !== null && isAnchored(per) && { carriesAt: now }),
  };
}
