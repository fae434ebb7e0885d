import { until } from '../real/until.ts';

/** Returns when so much time has passed, by the monotonic clock. */
export async function passed(ms: number): Promise<void> {
  const end = performance.now() + ms;
  await until(`${ms} ms have passed`, () => performance.now() >= end, {
    deadlineMs: ms + 60_000,
    everyMs: Math.max(1, ms),
  });
}
