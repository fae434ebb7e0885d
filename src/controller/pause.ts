import { setTimeout } from 'node:timers/promises';

/** Resolves after so many milliseconds, or as soon as the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal });
  } catch {
    // Aborted: whoever waits looks at the signal.
  }
}

/** Twice as long after each failure in a row, and not for all alike. */
export function backoffMs(failures: number, { first, longest }: { first: number; longest: number }): number {
  const most = Math.min(first * 2 ** Math.min(failures - 1, 20), longest);
  return most / 2 + (Math.random() * most) / 2;
}
