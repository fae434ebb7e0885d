import { BoundedCache } from '../cache/bounded-cache.ts';
import type { CheckedKey } from '../keys/key.ts';
import type { Limit } from '../keys/limit.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import type { Advances, SpentAdvance } from './advances.ts';
import {
  advance,
  type Counter,
  counterId,
  createFindSpan,
  isCurrent,
  openWindow,
  type Window,
} from './counter.ts';

/** Whose units are spent. */
export type Spender = Pick<CheckedKey, 'spender' | 'owner' | 'account'>;
/** What of an owner says when its periods begin. */
export type Anchored = Pick<OwnerRecord, 'billingAnchor'>;

/** A window of a counter, as others name it. */
export interface HeldWindow {
  /** The spender, or {@link ownerHolder} of an owner. */
  readonly holder: string;
  readonly counter: string;
  readonly start: number;
  readonly end: number;
  /** Units of the limit. */
  readonly limit: number;
}

/** The counters that were asked for lately, each once. */
export interface Accounts {
  /** Those of the limits, in their order, each with the window that `now` lies in. */
  countersOf(key: Spender, owner: Anchored | null, limits: readonly Limit[], now: number): readonly Counter[];
  /** A window that is held; null where it was not asked for lately. */
  find(window: HeldWindow): Window | null;
  /** The same, opened where it is not and has an advance; null where it has none, or is over. */
  open(window: HeldWindow): Window | null;
  /** What was spent in advance of windows that have not ended. */
  spentInAdvance(now: number): Iterable<SpentAdvance>;
}

export interface AccountsOptions {
  /** Spenders and owners that are remembered; those that were quiet are forgotten for others. */
  readonly spendersMax: number;
  /** Told of a window that was replaced by another before it has ended. */
  readonly onReplaced: (window: Window) => void;
  /** Told of a window whose limit was lowered. */
  readonly onLowered: (window: Window) => void;
  readonly advances: Advances;
}

/** All counters of one spender, or of one owner. What a Check reads stands first, near to each other. */
class Account {
  /** Who remembers it; null once it is forgotten. */
  heldBy: object | null;
  /** Whether it was asked for by whoever has it in hand. */
  isVisited = false;
  /** What its key asked for last, and the counters of it. */
  limits: readonly Limit[] | null = null;
  owner: string | null = null;
  anchor: number | null = null;
  resolved: readonly Counter[] = [];
  /** Made anew by `concat` for each that is added: one that is pushed to has room for sixteen more, 128 bytes. */
  counters: readonly Counter[] = [];

  constructor(heldBy: object) {
    this.heldBy = heldBy;
  }
}

/** Counters of limits that are gone, beside those that hold. */
const countersMax = 32;
/** How long a window that has ended counts, for a clock that is set back. */
const endedMs = 120_000;

export function createAccounts(options: AccountsOptions): Accounts {
  const { spendersMax, onReplaced, onLowered, advances } = options;
  const findSpan = createFindSpan();
  const accounts = new BoundedCache<string, Account>(spendersMax, forgetAccount, takeVisit);

  return {
    countersOf(key, owner, limits, now) {
      const account = accountFor(key);
      const anchor = owner === null ? null : owner.billingAnchor;
      if (account.limits !== limits || account.anchor !== anchor || account.owner !== key.owner) {
        const resolved = limits.map((limit) => counterOf(key, account, { limit, anchor }, now));
        const { counters } = account;
        const isSame =
          resolved.length === counters.length && resolved.every((one, at) => one === counters[at]);
        account.resolved = isSame ? counters : resolved;
        account.limits = limits;
        account.anchor = anchor;
        account.owner = key.owner;
      }
      const { resolved } = account;
      for (let at = 0; at < resolved.length; at++) {
        const counter = resolved[at] as Counter;
        if (!isCurrent(counter.window, now)) roll(counter, limits[at] as Limit, key.owner !== null, now);
      }
      return resolved;
    },
    find({ holder, counter, start, end }) {
      for (const { id, window } of accounts.get(holder)?.counters ?? []) {
        if (id !== counter) continue;
        for (const one of [window, window.next]) if (one?.start === start && one.end === end) return one;
      }
      return null;
    },
    open,
    *spentInAdvance(now) {
      for (const { counters } of accounts.values()) {
        for (const { window } of counters) {
          const { counter, start, end } = window;
          const units = window.advance - window.free;
          if (window.hasAdvance && units > 0 && end + endedMs > now) yield { counter, start, end, units };
        }
      }
    },
  };

  function open({ holder, counter: id, start, end, limit }: HeldWindow): Window | null {
    const per = end - start;
    if (advances.of({ limit, per }, start).units === 0) return null;
    const account = accountOf(holder);
    const known = account.counters.find((counter) => counter.id === id && counter.per === per);
    if (known !== undefined && known.window.start >= start) return null;
    const counter = known ?? {
      id,
      per,
      ...{ anchor: null, limit },
      window: openWindow({ id, per }, findSpan(per, null, start), false, start),
    };
    if (known === undefined) account.counters = account.counters.concat([counter]);
    else known.window = openWindow(known, findSpan(per, null, start), false, start);
    advance(counter.window, { limit, per }, advances);
    return counter.window;
  }

  function forgetAccount(_: string, account: Account): void {
    account.heldBy = null;
    for (const { window } of account.counters) forget(window);
  }

  function forget(window: Window): void {
    advances.forget(window);
    if (window.next !== null) advances.forget(window.next);
  }

  /** A key in memory has it in hand; others are looked for by their spenders' names. */
  function accountFor(key: Spender): Account {
    const held = key.account;
    if (held instanceof Account && held.heldBy === accounts) {
      if (!held.isVisited) held.isVisited = true;
      return held;
    }
    const account = accountOf(key.spender);
    if (held !== undefined) key.account = account;
    return account;
  }

  function accountOf(holder: string): Account {
    const known = accounts.get(holder);
    if (known !== undefined) return known;
    const account = new Account(accounts);
    accounts.set(holder, account);
    return account;
  }

  function counterOf(
    key: Spender,
    own: Account,
    { limit, anchor }: { readonly limit: Limit; readonly anchor: number | null },
    now: number,
  ): Counter {
    const id = counterId(limit, key.spender, key.owner);
    const isShared = limit.sharedBy === 'owner' && key.owner !== null;
    // To make room for the owner's, its own may have been forgotten.
    const find = () => (own.heldBy === null ? accountOf(key.spender) : own);
    const account = isShared ? accountOf(ownerHolder(key.owner ?? '')) : find();
    const known = account.counters.find((counter) => counter.id === id && counter.per === limit.per);
    if (known !== undefined) {
      if (limit.limit < known.limit) onLowered(known.window);
      known.limit = limit.limit;
      if (known.anchor !== anchor) {
        known.anchor = anchor;
        roll(known, limit, key.owner !== null, now);
      }
      return known;
    }
    const { per } = limit;
    const window = openWindow({ id, per }, findSpan(per, anchor, now), key.owner !== null, now);
    advance(window, limit, advances);
    const counter = { id, per, anchor, limit: limit.limit, window };
    account.counters = account.counters.concat([counter]);
    const [oldest] = account.counters;
    if (account.counters.length > countersMax && oldest !== undefined) {
      account.counters = account.counters.slice(1);
      forget(oldest.window);
    }
    return counter;
  }

  function roll(counter: Counter, limit: Limit, hasOwner: boolean, now: number): void {
    const { window, per, anchor } = counter;
    const span = findSpan(per, anchor, now);
    const { start, end } = span;
    if (window.start === start && window.end === end) return;
    const { next } = window;
    const isOver = now >= window.end;
    if (next !== null && next.start === start && next.end === end) {
      advances.forget(window);
      counter.window = next;
      if (!isOver) onReplaced(window);
      return;
    }
    forget(window);
    if (!isOver) onReplaced(window);
    if (!window.reopen(span)) counter.window = openWindow(counter, span, hasOwner, now);
    advance(counter.window, limit, advances);
  }
}

function takeVisit(account: Account): boolean {
  const { isVisited } = account;
  account.isVisited = false;
  return isVisited;
}

/** The name of an owner among spenders, whose names are ids of keys. */
export function ownerHolder(owner: string): string {
  return `owner ${owner}`;
}
