import { StaleAnswer } from '../../store/stale-answer.ts';
import type { Asker } from '../../store/store.ts';
import type { ReadOptions, Sessions } from '../sessions.ts';

export interface LatestReadDependencies {
  readonly sessions: Sessions;
  /** Null where there is no change stream: each read is then the latest by itself. */
  readonly lease: { isHeld(): boolean } | null;
  /** Of a read that a Check waits for, and of one that others do. */
  readonly timeoutsMs: { readonly check: number; readonly others: number };
  /** Resolves when reads that begin then are no older than this call. */
  readonly catchUp: () => Promise<unknown>;
}

/** A read whose answer is no staler than memory may be; where it `isNothing`, no staler than the call. */
export type LatestRead = <T>(
  work: (options: ReadOptions) => Promise<T>,
  isNothing?: (found: T) => boolean,
) => Promise<T>;

/**
 * Under a lease a read that is no older than what was delivered is no staler than memory. Without one a write by
 * majority comes before it, one for all who wait: an old primary that is cut off answers any other read. (A linearizable
 * read needs no write, but is of one key and takes a connection and up to 100 ms: those of many Checks left none to
 * renew the lease by.) And what is not there may be too new for it: who has just made a key must not be told that it is
 * unknown.
 */
export function createLatestRead(
  { sessions, lease, catchUp }: Omit<LatestReadDependencies, 'timeoutsMs'>,
  timeoutMs: number,
): LatestRead {
  return async (work, isNothing = () => false) => {
    const isLeased = lease?.isHeld() ?? false;
    const isBelieved = lease === null || isLeased;
    const found = await sessions.read(
      async (options) => {
        if (isBelieved) {
          const first = await work(options);
          if (!isLeased || !isNothing(first)) return first;
        }
        await catchUp();
        return sessions.read(work, { timeoutMs });
      },
      { timeoutMs },
    );
    if (isLeased && !lease?.isHeld()) throw new StaleAnswer('the lease ended during a read');
    return found;
  };
}

/** What reads within a deadline, made once for Checks and once for all others: they share no queue. */
export function byAsker<R>(
  { timeoutsMs }: Pick<LatestReadDependencies, 'timeoutsMs'>,
  create: (timeoutMs: number) => R,
): (asker: Asker | undefined) => R {
  const [forChecks, forOthers] = [create(timeoutsMs.check), create(timeoutsMs.others)];
  return (asker) => (asker === 'check' ? forChecks : forOthers);
}

/** A read that is no older than the call, whoever it is that has changed what it reads. */
export function createFreshRead({
  sessions,
  catchUp,
}: Pick<LatestReadDependencies, 'sessions' | 'catchUp'>): <T>(
  work: (options: ReadOptions) => Promise<T>,
) => Promise<T> {
  // One deadline for both.
  return (work) =>
    sessions.read(async () => {
      await catchUp();
      return sessions.read(work);
    });
}
