import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks again and again until the answer is neither `undefined` nor `false`, and returns it.
 * Throws with `what` after `deadlineMs` (default 120 s). An error that `check` throws ends it at once.
 */
export async function until<T>(
  what: string | (() => string),
  check: () => T | Promise<T>,
  { deadlineMs = 120_000, everyMs = 20 }: { deadlineMs?: number; everyMs?: number } = {},
): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const answer = await check();
    if (answer !== undefined && answer !== false) return answer as Exclude<T, false | undefined>;
    if (performance.now() > deadline) {
      throw new Error(`Not within ${deadlineMs} ms: ${typeof what === 'string' ? what : what()}`);
    }
    await pause(everyMs);
  }
}

const ticksPerSecond = 20;

/**
 * Settles as the work does; rejects where that is not before a timer of so many milliseconds. The time is counted in
 * steps of this process's own, so that where it stands still, or has to wait for its turn, the timer is late as well.
 */
export async function earlierThan<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = (async () => {
    for (let left = (ms / 1_000) * ticksPerSecond; left > 0; left--) {
      await pause(1_000 / ticksPerSecond, undefined, { signal: over.signal });
    }
    throw new Error(`not before a timer of ${ms} ms`);
  })();
  try {
    return await Promise.race([work(), late]);
  } finally {
    over.abort();
    await late.catch(() => {});
  }
}
