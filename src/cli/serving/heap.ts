import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** When the service has nothing left to do of its start, or of the last page of keys; what is not over leaves more behind. */
const overAfterMs = 2_000;

/** In MiB, of each half of the young generation of a thread that is started: see below. */
const halfMiB = 4;

/**
 * Keeps V8's young generation at one size in every thread of this process: to be called before anything is loaded. Of the
 * service's own thread each half has the 1 MiB that it begins with: while a start loads its code it would grow to 16, which
 * are never given back, and again while use is written, which takes no longer in 1. Of the threads that are started from now
 * on it has 4, since a scavenge takes about as long in 8 as in 1 where nearly nothing is alive: at full load Checks stood
 * still for 17 % of the time with 1 MiB, 10 with 2, and 5 with 4.
 */
export function fixYoungGenerations(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString(`--min-semi-space-size=${halfMiB}`);
}

/**
 * Has one thread beside it mark what is alive on the heap of each thread that is started from now on, where V8 would take
 * four: with a million keys they mark for half a second, and where the process has one core, a thread that answers
 * Checks was left a fifth of it meanwhile. Now it has half.
 */
export function markByOneThread(): void {
  setFlagsFromString('--concurrent-marking-max-worker-num=1');
}

/**
 * Gives back what this thread used for something that happens once. Half of what it has after its start is code that ran
 * once and what reading it left, and after all keys were read in pages a third is what was left of these: V8 would keep
 * it until the heap has doubled. It stops the thread for some 40 ms of processor time, of a Check worker that has no keys
 * yet 15.
 */
export function giveBackMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect: ((how: object) => void) | undefined = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  // Of the kinds there are, this one alone moves together what is left, so that pages become free.
  collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/** The same for the service's own thread, when what it does is over. */
export function giveBackMemorySoon(): void {
  setTimeout(giveBackMemory, overAfterMs).unref();
}
