import { BoundedCache } from '../cache/bounded-cache.ts';
import type { CheckedKey } from '../keys/key.ts';
import type { Limit } from '../keys/limit.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import { type Counter, counterId, isCurrent, openWindow, type Window } from './counter.ts';
import { spanAt } from './period.ts';

/** Whose units are spent. */
export type Spender = Pick<CheckedKey, 'spender' | 'owner'>;
/** What of an owner says when its periods begin. */
export type Anchored = Pick<OwnerRecord, 'billingAnchor'>;

/** A window of a counter, as others name it. */
export interface HeldWindow {
  /** The spender, or {@link ownerHolder} of an owner. */
  readonly holder: string;
  readonly counter: string;
  readonly start: number;
  readonly end: number;
}

/** The counters that were asked for lately, each once. */
export interface Accounts {
  /** Those of the limits, in their order, each with the window that `now` lies in. */
  countersOf(key: Spender, owner: Anchored | null, limits: readonly Limit[], now: number): readonly Counter[];
  /** A window that is held; null where it was not asked for lately. */
  find(window: HeldWindow): Window | null;
}

export interface AccountsOptions {
  /** Spenders and owners that are remembered; those that were quiet are forgotten for others. */
  readonly spendersMax: number;
  /** Told of a window that was replaced by another before it has ended. */
  readonly onReplaced: (window: Window) => void;
}

/** All counters of one spender, or of one owner. */
interface Account {
  readonly counters: Counter[];
  /** What its key asked for last, and the counters of it. */
  limits: readonly Limit[] | null;
  owner: string | null;
  anchor: number | null;
  resolved: readonly Counter[];
}

/** Counters of limits that are gone, beside those that hold. */
const countersMax = 32;

export function createAccounts({ spendersMax, onReplaced }: AccountsOptions): Accounts {
  const accounts = new BoundedCache<string, Account>(spendersMax);

  return {
    countersOf(key, owner, limits, now) {
      const account = accountOf(key.spender);
      const anchor = owner === null ? null : owner.billingAnchor;
      if (account.limits !== limits || account.anchor !== anchor || account.owner !== key.owner) {
        account.resolved = limits.map((limit) => counterOf(key, limit, anchor, now));
        account.limits = limits;
        account.anchor = anchor;
        account.owner = key.owner;
      }
      const { resolved } = account;
      for (let at = 0; at < resolved.length; at++) {
        const counter = resolved[at] as Counter;
        if (!isCurrent(counter.window, now)) roll(counter, key.owner !== null, now);
      }
      return resolved;
    },
    find({ holder, counter, start, end }) {
      for (const { id, window } of accounts.get(holder)?.counters ?? []) {
        if (id === counter && window.start === start && window.end === end) return window;
      }
      return null;
    },
  };

  function accountOf(holder: string): Account {
    const known = accounts.get(holder);
    if (known !== undefined) return known;
    const account: Account = { counters: [], limits: null, owner: null, anchor: null, resolved: [] };
    accounts.set(holder, account);
    return account;
  }

  function counterOf(key: Spender, limit: Limit, anchor: number | null, now: number): Counter {
    const id = counterId(limit, key.spender, key.owner);
    const isShared = limit.sharedBy === 'owner' && key.owner !== null;
    const { counters } = accountOf(isShared ? ownerHolder(key.owner ?? '') : key.spender);
    const known = counters.find((counter) => counter.id === id && counter.per === limit.per);
    if (known !== undefined) {
      if (known.anchor !== anchor) {
        known.anchor = anchor;
        roll(known, key.owner !== null, now);
      }
      return known;
    }
    const { per } = limit;
    const counter = { id, per, anchor, window: openWindow({ id, per, anchor }, key.owner !== null, now) };
    counters.push(counter);
    if (counters.length > countersMax) counters.shift();
    return counter;
  }

  function roll(counter: Counter, hasOwner: boolean, now: number): void {
    const { window, per, anchor } = counter;
    const { start, end } = spanAt(per, anchor, now);
    if (window.start === start && window.end === end) return;
    counter.window = openWindow(counter, hasOwner, now);
    if (now < window.end) onReplaced(window);
  }
}

/** The name of an owner among spenders, whose names are ids of keys. */
export function ownerHolder(owner: string): string {
  return `owner ${owner}`;
}
