import type { Limit } from '../keys/limit.ts';
import type { Window } from './counter.ts';

/** Counters of limits that are gone, beside those that hold. */
const countersMax = 32;

/** All counters of one spender, or of one owner. */
export class Account {
  /** Who remembers it; null once it is forgotten. */
  heldBy: object | null;
  /** Whether it was asked for by whoever has it in hand. */
  isVisited = false;
  /** What its key asked for last, and the windows of it. */
  limits: readonly Limit[] | null = null;
  owner: string | null = null;
  anchor: number | null = null;
  resolved: Window[] = [];
  /**
   * The latest of each counter. Made anew for each that is added: a list that is pushed to has room for sixteen more,
   * 128 bytes.
   */
  windows: Window[] = [];

  constructor(heldBy: object) {
    this.heldBy = heldBy;
  }

  latest(counter: string, per: Limit['per']): Window | undefined {
    return this.windows.find((window) => window.counter === counter && window.per === per);
  }

  /** The one that makes room for it; null where there is room. */
  add(window: Window): Window | null {
    const windows = this.windows.concat([window]);
    const [oldest] = windows;
    if (windows.length <= countersMax || oldest === undefined) {
      this.windows = windows;
      return null;
    }
    this.windows = windows.slice(1);
    return oldest;
  }

  /** Puts another in place of one that is the latest of the same counter. */
  replace(window: Window, other: Window): void {
    window.yieldTo(other);
    this.windows[this.windows.indexOf(window)] = other;
  }

  /** Whether it, or a window of it, was asked for since that was last taken. */
  takeVisit(): boolean {
    let { isVisited } = this;
    this.isVisited = false;
    for (const window of this.windows) {
      isVisited ||= window.isVisited;
      window.isVisited = false;
    }
    return isVisited;
  }
}
