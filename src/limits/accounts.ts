import { BoundedCache } from '../cache/bounded-cache.ts';
import type { CheckedKey } from '../keys/key.ts';
import type { Limit } from '../keys/limit.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import { Account } from './account.ts';
import type { Advances, SpentAdvance } from './advances.ts';
import { advance, counterId, createFindSpan, isCurrent, openWindow, Window } from './counter.ts';

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
  /** The windows that `now` lies in, of the limits in their order; the list holds until the next is asked for. */
  windowsOf(key: Spender, owner: Anchored | null, limits: readonly Limit[], now: number): readonly Window[];
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

/** How long a window that has ended counts, for a clock that is set back. */
const endedMs = 120_000;

export function createAccounts(options: AccountsOptions): Accounts {
  const { spendersMax, onReplaced, onLowered, advances } = options;
  const findSpan = createFindSpan();
  const accounts = new BoundedCache<string, Account>(spendersMax, forgetAccount, (account) =>
    account.takeVisit(),
  );
  /** Of a key with one limit: a list of its own for each would be read from memory by each Check. */
  const sole: Window[] = [];

  return {
    windowsOf(key, owner, limits, now) {
      const anchor = owner === null ? null : owner.billingAnchor;
      const held = key.account;
      // Nearly all keys have one limit, which is theirs alone: its window is all that is looked at.
      if (held instanceof Window && isSole(held, limits, anchor)) {
        if (!held.isVisited) held.isVisited = true;
        sole[0] = isCurrent(held, now) ? held : rolled(held, key, limits[0] as Limit, now);
        if (sole[0] !== held) key.account = sole[0];
        return sole;
      }
      const resolved = resolve(key, anchor, limits, now);
      for (let at = 0; at < resolved.length; at++) {
        const window = resolved[at] as Window;
        if (!isCurrent(window, now)) resolved[at] = rolled(window, key, limits[at] as Limit, now);
      }
      return resolved;
    },
    find({ holder, counter, start, end }) {
      for (const window of accounts.get(holder)?.windows ?? []) {
        if (window.counter !== counter) continue;
        for (const one of [window, window.next]) if (one?.start === start && one.end === end) return one;
      }
      return null;
    },
    open,
    *spentInAdvance(now) {
      for (const { windows } of accounts.values()) {
        for (const { counter, start, end, advance: inAdvance, free, hasAdvance } of windows) {
          const units = inAdvance - free;
          if (hasAdvance && units > 0 && end + endedMs > now) yield { counter, start, end, units };
        }
      }
    },
  };

  function isSole(window: Window, limits: readonly Limit[], anchor: number | null): boolean {
    return window.soleOf === limits && window.heldBy === accounts && window.anchor === anchor;
  }

  /** Those that were found last, as long as each is the latest of its counter. */
  function resolve(key: Spender, anchor: number | null, limits: readonly Limit[], now: number): Window[] {
    const account = accountFor(key);
    const isKnown =
      account.limits === limits &&
      account.anchor === anchor &&
      account.owner === key.owner &&
      account.resolved.every((window) => window.heldBy === accounts);
    if (isKnown) {
      handOver(key, account.resolved, limits);
      return account.resolved;
    }
    const resolved = limits.map((limit) => latestOf(key, account, { limit, anchor }, now));
    const { windows } = account;
    const isSame = resolved.length === windows.length && resolved.every((one, at) => one === windows[at]);
    account.resolved = isSame ? windows : resolved;
    account.limits = limits;
    account.anchor = anchor;
    account.owner = key.owner;
    const [only] = resolved;
    if (resolved.length === 1 && only !== undefined && windows.includes(only)) only.soleOf = limits;
    handOver(key, resolved, limits);
    return account.resolved;
  }

  /** A key that came into memory after it was asked for first, as while a store is read, has its window in hand too. */
  function handOver(key: Spender, [only]: readonly Window[], limits: readonly Limit[]): void {
    if (only?.soleOf === limits && key.account !== undefined) key.account = only;
  }

  function open({ holder, counter, start, end, limit }: HeldWindow): Window | null {
    const per = end - start;
    if (advances.of({ limit, per }, start).units === 0) return null;
    const account = accountOf(holder);
    const known = account.latest(counter, per);
    if (known !== undefined && known.start >= start) return null;
    const counted = { counter, per, anchor: known?.anchor ?? null };
    const opened = openWindow(counted, findSpan(per, null, start), false, start);
    if (known === undefined) hold(account, opened, limit);
    else account.replace(known, opened);
    advance(opened, { limit, per }, advances);
    return opened;
  }

  function forgetAccount(_: string, account: Account): void {
    account.heldBy = null;
    for (const window of account.windows) forget(window);
  }

  function forget(window: Window): void {
    noteForgotten(window);
    window.yieldTo(null);
  }

  function noteForgotten(window: Window): void {
    advances.forget(window);
    if (window.next !== null) advances.forget(window.next);
  }

  /** A key in memory has it in hand where it has several limits; others are looked for by their spenders' names. */
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

  /** The window of a limit's counter, which is opened where there is none. */
  function latestOf(
    key: Spender,
    own: Account,
    { limit, anchor }: { readonly limit: Limit; readonly anchor: number | null },
    now: number,
  ): Window {
    const counter = counterId(limit, key.spender, key.owner);
    const { per } = limit;
    const account = holderOf(key, own, limit);
    const known = account.latest(counter, per);
    if (known !== undefined) {
      if (limit.limit < known.limit) onLowered(known);
      known.limit = limit.limit;
      if (known.anchor === anchor) return known;
      known.anchor = anchor;
      return rolled(known, key, limit, now);
    }
    const window = openWindow({ counter, per, anchor }, findSpan(per, anchor, now), key.owner !== null, now);
    advance(window, limit, advances);
    hold(account, window, limit.limit);
    return window;
  }

  /** Whose counter it is that a key spends from for a limit. */
  function holderOf(key: Spender, own: Account | null, { sharedBy }: Limit): Account {
    if (sharedBy === 'owner' && key.owner !== null) return accountOf(ownerHolder(key.owner));
    // To make room for the owner's, its own may have been forgotten.
    return own === null || own.heldBy === null ? accountOf(key.spender) : own;
  }

  function hold(account: Account, window: Window, limit: number): void {
    window.limit = limit;
    window.heldBy = accounts;
    const dropped = account.add(window);
    if (dropped !== null) forget(dropped);
  }

  /** The window of the same counter that `now` lies in. */
  function rolled(window: Window, key: Spender, limit: Limit, now: number): Window {
    const span = findSpan(window.per, window.anchor, now);
    const { start, end } = span;
    if (window.start === start && window.end === end) return window;
    const { next } = window;
    const isOver = now >= window.end;
    if (next !== null && next.start === start && next.end === end) {
      advances.forget(window);
      holderOf(key, null, limit).replace(window, next);
      if (!isOver) onReplaced(window);
      return next;
    }
    noteForgotten(window);
    if (!isOver) onReplaced(window);
    let current = window;
    if (!window.reopen(span)) {
      current = openWindow(window, span, key.owner !== null, now);
      holderOf(key, null, limit).replace(window, current);
    }
    advance(current, limit, advances);
    return current;
  }
}

/** The name of an owner among spenders, whose names are ids of keys. */
export function ownerHolder(owner: string): string {
  return `owner ${owner}`;
}
