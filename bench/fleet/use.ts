/** What the use of keys has the replicas of a fleet that fold it write, each second, computed from the law that Checks follow. */
import { talliesOfFold } from '../../src/mongo/usage/batches.ts';
import { bitsFor, bucketRows } from '../../src/mongo/usage/open/open-rows.ts';
import { upkeepLimits } from '../../src/mongo/usage/open/run-upkeep.ts';
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
  readonly ofOwners: OwnerWrites;
  /** Sums of all keys of a kind, by hour, day and month. */
  readonly sumsOfAll: number;
}

/** Whose the keys are: all of them one owner's, or each another's. */
export type Owners = 'one' | 'each';

/** The same of rows of owners; those of hours, days and months that are over are written, and read, once more for the next. */
interface OwnerWrites extends Pick<UseWrites, 'folded' | 'merged' | 'read' | 'documents'> {
  readonly past: number;
  readonly pastRead: number;
}

const foldSeconds = 2;
const hourSeconds = 3_600;
const daySeconds = 24 * hourSeconds;
const monthSeconds = 30 * daySeconds;
const sumUnits = 3;

/** Where each replica writes so many tallies a second. */
export function useWrites(
  replicas: number,
  workload: Workload,
  tallies: number,
  owners: Owners = 'one',
): UseWrites {
  const checks = replicas * workload.checksPerSecond;
  const folds = Math.max(1 / foldSeconds, (replicas * tallies) / talliesOfFold);
  const settled = keysUsed(workload, checks * hourSeconds) / hourSeconds;
  const rowsOf = (level: number) =>
    keysUsed(workload, Math.min((checks / folds) * upkeepLimits.runsMin ** level, checks * hourSeconds));
  const folded = folds * rowsOf(0);
  const foldTallies = Math.min((replicas * tallies) / folds, talliesOfFold);
  const all = { merged: 0, read: 0, documents: folds * 2 ** bitsFor(foldTallies, bucketRows) };
  let merges = 0;
  for (let level = 1; upkeepLimits.runsMin ** level <= folds * hourSeconds; level++) {
    const ofLevel = folds / upkeepLimits.runsMin ** level;
    merges += ofLevel;
    const before = upkeepLimits.runsMin * rowsOf(level - 1);
    all.read += ofLevel * before;
    all.merged += ofLevel * rowsOf(level);
    all.documents += ofLevel * 2 ** bitsFor(before, bucketRows);
    // Of each level some runs are left when the hour is over.
    all.read += ((upkeepLimits.runsMin / 2) * rowsOf(level)) / hourSeconds;
  }
  const usedIn = (seconds: number) => keysUsed(workload, checks * seconds) / seconds;
  const closed = usedIn(closedTogetherMs / 1_000);
  const newDays = usedIn(daySeconds);
  // With each day its month is written anew: half of what it has at its end, on average.
  const ofMonth = keysUsed(workload, checks * monthSeconds) / 2 / daySeconds;
  const ofEach = { folded, ...all, past: settled + newDays + ofMonth, pastRead: settled + ofMonth };
  const ofOne = { folded: folds, merged: merges, read: folds + merges, documents: folds + merges };
  return {
    ...{ folds, folded, ...all, settled, newDays, sumsOfAll: folds * sumUnits },
    ofOwners: owners === 'each' ? ofEach : { ...ofOne, past: 0, pastRead: 0 },
    // Of some keys at once, and of each when hours of it are closed.
    touches: Math.min(folded, touchesPerSecond) + closed,
    // Hours that are closed are of one day and one month.
    sums: 2 * closed - newDays,
  };
}
