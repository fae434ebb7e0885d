import { StoreUnavailable } from '../store.ts';
import type { ReadOptions, Sessions } from './sessions.ts';

export interface LatestReadDependencies {
  readonly sessions: Sessions;
  /** Null where there is no change stream: each read is then the latest by itself. */
  readonly lease: { isHeld(): boolean } | null;
  readonly findTimeoutMs: number;
}

/** A read on the path of a Check, whose answer is no staler than memory may be. */
export type LatestRead = <T>(work: (options: ReadOptions) => Promise<T>) => Promise<T>;

/**
 * Under a lease a read that is no older than what was delivered is no staler than memory. Without one only
 * a linearizable read will do: an old primary that is cut off answers any other.
 */
export function createLatestRead({ sessions, lease, findTimeoutMs }: LatestReadDependencies): LatestRead {
  return async (work) => {
    const isLeased = lease?.isHeld() ?? false;
    const linearizable = lease !== null && !isLeased;
    const found = await sessions.read(work, { timeoutMs: findTimeoutMs, linearizable });
    if (isLeased && !lease?.isHeld()) throw new StoreUnavailable('the lease ended during a read');
    return found;
  };
}
