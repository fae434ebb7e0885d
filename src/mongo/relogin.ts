import { setTimeout } from 'node:timers/promises';
import { StoreUnavailable } from '../store/store.ts';

export interface ReloginDependencies {
  /** Whether a new connection is let do what the one that is open is refused. Does not reject. */
  readonly isLetIn: () => Promise<boolean>;
  /** Lets go of what is open, and opens it anew; rejects where that cannot be done yet. */
  readonly reopen: () => Promise<void>;
}

export interface Relogin {
  /** The same call, which has it looked at when MongoDB refuses it. */
  watch<A extends unknown[], R>(call: (...args: A) => Promise<R>): (...args: A) => Promise<R>;
  stop(): Promise<void>;
}

/** How often it is tried while calls are refused. */
const tryEveryMs = 1_000;

/**
 * A user that is dropped and made again is another one to MongoDB: connections that were logged in as the former are
 * refused for good, and the driver keeps them, since nothing is wrong with their sockets. So where a call is refused it
 * is tried whether a new connection is, and if not all of them are made anew.
 */
export function createRelogin({ isLetIn, reopen }: ReloginDependencies): Relogin {
  const stopped = new AbortController();
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    if (await isLetIn()) {
      while (!stopped.signal.aborted && !(await reopened())) await pause();
    }
    await pause();
  }

  async function reopened(): Promise<boolean> {
    try {
      await reopen();
      return true;
    } catch {
      // Whoever asks is told why; it is tried again.
      return false;
    }
  }

  /** Ends early when it is stopped. */
  async function pause(): Promise<void> {
    await setTimeout(tryEveryMs, undefined, { signal: stopped.signal, ref: false }).catch(() => {});
  }

  return {
    watch:
      (call) =>
      async (...args) => {
        try {
          return await call(...args);
        } catch (error) {
          if (error instanceof StoreUnavailable && error.trouble === 'refused' && !stopped.signal.aborted) {
            looking ??= look().finally(() => {
              looking = null;
            });
          }
          throw error;
        }
      },
    async stop() {
      stopped.abort();
      await looking;
    },
  };
}
