import type { Violation } from './checker.ts';
import type { ChangeRecord, CheckRecord, FaultRecord, HistoryRecord } from './history.ts';

/** Of the offset between two clocks, to the millisecond. */
const roundingMs = 2;
/** A window in which this many times the limit is asked for must give out nearly all of it. */
const demandFactor = 2;
const usedPartMin = 0.95;
/** How long a fleet may take to be whole again after a fault. */
const recoveryMs = 5_000;

/** What limits were worth, window by window. */
export interface LimitSurvey {
  readonly windows: number;
  /** Of these: those that had to give out nearly all, since more was asked for and no fault was on. */
  readonly wanted: number;
  readonly violations: readonly Violation[];
}

/** Fixed windows that begin at whole multiples of their length since the Unix epoch. */
export function surveyLimits(
  records: readonly HistoryRecord[],
  made: ReadonlyMap<string, ChangeRecord>,
): LimitSurvey {
  const [opening] = records;
  if (opening?.type !== 'opening') return { windows: 0, wanted: 0, violations: [] };
  const limited = [...made].filter(([, { limit }]) => limit);
  const faults = records.filter((record) => record.type === 'fault');
  const keys = new Set(limited.map(([key]) => key));
  const checks = Map.groupBy(
    records.filter((record) => record.type === 'check').filter(({ key }) => keys.has(key)),
    ({ key }) => key,
  );
  const surveyed = limited.flatMap(([key, creation]) =>
    windowsOf(creation, checks.get(key) ?? [], opening.wallOffset).map((window) => {
      const isWanted = mustBeUsed(window, faults);
      return { isWanted, violations: judgeWindow(key, window, isWanted) };
    }),
  );
  return {
    windows: surveyed.length,
    wanted: surveyed.filter(({ isWanted }) => isWanted).length,
    violations: surveyed.flatMap(({ violations }) => violations),
  };
}

interface Window {
  readonly begin: number;
  readonly end: number;
  readonly limit: number;
  /** Those that were under way at some time in it. */
  readonly checks: readonly CheckRecord[];
}

function windowsOf(
  { limit }: ChangeRecord,
  checks: readonly CheckRecord[],
  wallOffset: number,
): readonly Window[] {
  if (!limit) return [];
  const { windowMs } = limit;
  const numberAt = (instant: number) => Math.floor((instant + wallOffset) / windowMs);
  const byNumber = new Map<number, CheckRecord[]>();
  for (const check of checks) {
    for (let number = numberAt(check.begin); number <= numberAt(check.end); number++) {
      const known = byNumber.get(number);
      if (known === undefined) byNumber.set(number, [check]);
      else known.push(check);
    }
  }
  return [...byNumber].map(([number, inIt]) => {
    const begin = number * windowMs - wallOffset;
    return { begin, end: begin + windowMs, limit: limit.limit, checks: inIt };
  });
}

function judgeWindow(key: string, window: Window, isWanted: boolean): Violation[] {
  const { limit, checks } = window;
  const allowed = checks.filter(({ verdict }) => verdict === 'allowed');
  const admitted = allowed.filter((check) => isInside(check, window));
  if (admitted.length > limit) {
    const what = `${key} was allowed ${admitted.length} times in a window of ${limit}`;
    return [{ rule: 'no more than the limit in a window', what, records: admitted.slice(-1) }];
  }
  if (!isWanted || allowed.length >= usedPartMin * limit) return [];
  const what = `${key} was allowed ${allowed.length} times of ${limit}, where ${checks.length} asked`;
  return [{ rule: 'nearly all of the limit where more is asked for', what, records: checks.slice(-1) }];
}

/** Whether much more than the limit was asked for, until the window's end, by a fleet without a fault. */
function mustBeUsed(window: Window, faults: readonly FaultRecord[]): boolean {
  const { begin, end, limit, checks } = window;
  const asked = checks.filter((check) => isInside(check, window));
  const isWhole = !faults.some((fault) => fault.begin < end && fault.end > begin - recoveryMs);
  // Asked for too early or too seldom, some of what was leased is left where nobody asks for it.
  const replicas = Map.groupBy(asked, ({ replica }) => replica);
  const reachesEnd = [...replicas.values()].every((of) =>
    of.some((check) => check.begin > end - (end - begin) / 10),
  );
  // A lease whose answer came too late is spent by nobody.
  const isAnswered = checks.every(({ verdict }) => verdict === 'allowed' || verdict === 'denied');
  return isWhole && isAnswered && reachesEnd && asked.length >= demandFactor * limit;
}

function isInside(check: CheckRecord, { begin, end }: Window): boolean {
  return check.begin > begin + roundingMs && check.end < end - roundingMs;
}
