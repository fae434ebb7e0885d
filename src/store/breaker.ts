import type { CheckedKey } from '../keys/key.ts';
import type { Digest } from '../keys/secret.ts';
import { StaleAnswer } from './stale-answer.ts';
import { type Store, StoreUnavailable, UnreadableRecord } from './store.ts';

/** What a Check asks of the store. */
export interface CheckStore extends Pick<Store, 'getOwner' | 'getRole' | 'leaseUnits' | 'returnUnits'> {
  /** As the store's, without what no Check looks at. */
  findKey(digests: readonly Digest[]): Promise<CheckedKey | null>;
}

/** Reads and leases are told apart: a store without a majority may still answer reads. */
export type Circuit = 'reads' | 'leases';

export interface BreakerDependencies {
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
  /** 0 up to 1. */
  readonly random: () => number;
  /** From now on calls fail at once; told once until {@link BreakerDependencies.onClosed}. */
  readonly onOpened: (circuit: Circuit, error: StoreUnavailable) => void;
  /** The store answers again. */
  readonly onClosed: (circuit: Circuit) => void;
}

export interface BreakerOptions {
  /** Calls in a row that find the store away before others are not made any more. */
  readonly failuresMax: number;
  /** How long none is made then; half of it at least, so that a fleet does not come back in step. */
  readonly openMs: number;
}

/**
 * The same calls, which reject with `StoreUnavailable` at once while the store is known to be away: one caller
 * waits for it from time to time, and whoever asks meanwhile is told without waiting. Changes no answer.
 */
export function withBreakers(
  store: CheckStore,
  dependencies: BreakerDependencies,
  options: BreakerOptions,
): CheckStore {
  const reads = createBreaker('reads', dependencies, options);
  const leases = createBreaker('leases', dependencies, options);
  return {
    findKey: (digests) => reads(() => store.findKey(digests)),
    getOwner: (id) => reads(() => store.getOwner(id)),
    getRole: (id) => reads(() => store.getRole(id)),
    leaseUnits: (request) => leases(() => store.leaseUnits(request)),
    returnUnits: (returns) => leases(() => store.returnUnits(returns)),
  };
}

function createBreaker(circuit: Circuit, dependencies: BreakerDependencies, options: BreakerOptions) {
  const { monotonic, random, onOpened, onClosed } = dependencies;
  let failures = 0;
  /** Until then no call is made, and from then on one; null while all are made. */
  let openUntil: number | null = null;
  let isProbing = false;

  return async <T>(call: () => Promise<T>): Promise<T> => {
    if (openUntil === null) return made(call);
    if (isProbing || monotonic() < openUntil) {
      throw new StoreUnavailable('the store was away a moment ago, and is not asked yet');
    }
    isProbing = true;
    try {
      return await made(call);
    } finally {
      isProbing = false;
    }
  };

  async function made<T>(call: () => Promise<T>): Promise<T> {
    try {
      const answer = await call();
      answered();
      return answer;
    } catch (error) {
      if (error instanceof StoreUnavailable && !isOfAnswer(error)) failed(error);
      else answered();
      throw error;
    }
  }

  /** Also by a call that began before others failed: the store is there. */
  function answered(): void {
    failures = 0;
    if (openUntil === null) return;
    openUntil = null;
    onClosed(circuit);
  }

  function failed(error: StoreUnavailable): void {
    failures++;
    if (failures < options.failuresMax) return;
    const wasOpen = openUntil !== null;
    openUntil = monotonic() + options.openMs * (0.5 + random() / 2);
    if (!wasOpen) onOpened(circuit, error);
  }
}

/** A store that has a bad record is there, and so is one whose answer came too late to count. */
function isOfAnswer(error: StoreUnavailable): boolean {
  return error instanceof UnreadableRecord || error instanceof StaleAnswer;
}
