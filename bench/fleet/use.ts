/** What the use of keys has a fleet's one folding replica write, each second, computed from the law that Checks follow. */
import { talliesOfFold } from '../../src/mongo/usage/batches.ts';
import { bitsFor, bucketRows } from '../../src/mongo/usage/open/open-rows.ts';
import { upkeepLimits } from '../../src/mongo/usage/open/open-upkeep.ts';
import { closedTogetherMs } from '../../src/mongo/usage/plan-hours.ts';
import { touchesPerSecond } from '../../src/mongo/usage/touching.ts';
import { keysUsed, type Workload } from './workload.ts';

export interface UseWrites {
  readonly folds: number;
  /** Rows of open hours: written by folds, and by merges; read by merges and when hours are over. */
  readonly folded: number;
  readonly merged: number;
  readonly read: number;
  /** Documents that these are in, each of which is removed, too. */
  readonly documents: number;
  /** Rows of keys of hours that are over. */
  readonly settled: number;
  /** Last uses on keys' own documents. */
  readonly touches: number;
  /** Days of keys that are new, and days and months that are added to. */
  readonly newDays: number;
  readonly sums: number;
}

const foldSeconds = 2;
const hourSeconds = 3_600;
const daySeconds = 24 * hourSeconds;

/** Where each replica writes so many tallies a second. */
export function useWrites(replicas: number, workload: Workload, tallies: number): UseWrites {
  const checks = replicas * workload.checksPerSecond;
  const folds = Math.max(1 / foldSeconds, (replicas * tallies) / talliesOfFold);
  const settled = keysUsed(workload, checks * hourSeconds) / hourSeconds;
  const rowsOf = (level: number) =>
    keysUsed(workload, Math.min((checks / folds) * upkeepLimits.runsMin ** level, checks * hourSeconds));
  const folded = folds * rowsOf(0);
  const foldTallies = Math.min((replicas * tallies) / folds, talliesOfFold);
  const all = { merged: 0, read: 0, documents: folds * 2 ** bitsFor(foldTallies, bucketRows) };
  for (let level = 1; upkeepLimits.runsMin ** level <= folds * hourSeconds; level++) {
    const merges = folds / upkeepLimits.runsMin ** level;
    const before = upkeepLimits.runsMin * rowsOf(level - 1);
    all.read += merges * before;
    all.merged += merges * rowsOf(level);
    all.documents += merges * 2 ** bitsFor(before, bucketRows);
    // Of each level some runs are left when the hour is over.
    all.read += ((upkeepLimits.runsMin / 2) * rowsOf(level)) / hourSeconds;
  }
  const usedIn = (seconds: number) => keysUsed(workload, checks * seconds) / seconds;
  const closed = usedIn(closedTogetherMs / 1_000);
  const newDays = usedIn(daySeconds);
  return {
    ...{ folds, folded, ...all, settled, newDays },
    // Of some keys at once, and of each when hours of it are closed.
    touches: Math.min(folded, touchesPerSecond) + closed,
    // Hours that are closed are of one day and one month.
    sums: 2 * closed - newDays,
  };
}
