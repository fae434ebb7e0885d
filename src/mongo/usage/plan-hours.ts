import type { KeyId } from '../../keys/key.ts';
import { usageRetentionMs } from '../../store/store.ts';
import { hourMs, startOf } from '../../store/usage/usage-sums.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import { earliest } from '../records/keys/records.ts';
import { hashOf } from './key-hash.ts';
import type { Closing, PlanDocument } from './plan.ts';

/** Hours of a key that are added to its day and its month together, of the day in UTC: a few times a day, and not each hour. */
export const closedTogetherMs = 6 * hourMs;

/** Hours of keys by their places, see {@link placeOf}: from one on and before another. */
export interface Places {
  readonly from: number;
  readonly to: number;
}

/**
 * Where the hour of a key is among all, and when it is removed: hours one after another, and within each keys spread over
 * it, so that a part of an hour's keys is a range of the index.
 */
export function placeOf(key: KeyId, hour: number): number {
  return hour + usageRetentionMs + offsetOf(key);
}

/** The place of a key in each of its hours. */
function offsetOf(key: KeyId): number {
  return hashOf(key) % hourMs;
}

/** The id of a key's hour. */
export function hourId(key: KeyId, hour: number): string {
  return `${key} ${new Date(hour).toISOString()}`;
}

/** Whether what comes for this hour is to be added to the day and the month of its key at once. */
export function isClosed(
  { closed, closing }: PlanDocument,
  { key, hour }: Pick<UsageTally, 'key' | 'hour'>,
): boolean {
  if (closed === undefined) return true;
  if (placeOf(key, hour) >= closed.getTime()) return false;
  if (closing === undefined || offsetOf(key) < closing.after) return true;
  return hour < closing.from.getTime() || hour >= closing.before.getTime();
}

/** What is still to be closed of keys before this place in each hour, or of all. */
export function placesOf({ from, before, after }: Closing, to = hourMs): Places[] {
  const places: Places[] = [];
  for (let hour = from.getTime(); hour < before.getTime(); hour += hourMs) {
    const start = hour + usageRetentionMs;
    places.push({ from: start + after, to: start + to });
  }
  return places;
}

/** Hours before this are closed, whatever the key. */
export function closedBefore({ closed, closing }: PlanDocument): number {
  if (closing !== undefined) return closing.from.getTime();
  return closed === undefined ? earliest : startOf('hour', closed.getTime() - usageRetentionMs);
}

/** Uses before this are told by keys' own documents: all, or those of hours that are closed. */
export function toldBefore(plan: PlanDocument | null): number {
  if (plan?.untold === undefined) return Number.POSITIVE_INFINITY;
  const closed = closedBefore(plan);
  return plan.untold.getTime() < closed ? Number.POSITIVE_INFINITY : closed;
}

/** Whether sums have this hour; else it is counted later, with what comes now. */
export function isCounted(
  { counted = null }: PlanDocument,
  { key, hour }: Pick<UsageTally, 'key' | 'hour'>,
): boolean {
  if (counted === null || hour + usageRetentionMs >= counted.before.getTime()) return true;
  const isPartly = hour + usageRetentionMs + hourMs === counted.before.getTime();
  return isPartly && hourId(key, hour) <= counted.after;
}

/**
 * Whether what comes for this hour goes to open documents; else it is added to the rows of its key. It is never closed
 * there.
 */
export function isOpen(plan: PlanDocument, tally: Pick<UsageTally, 'key' | 'hour'>): boolean {
  const from = plan.settling?.before ?? plan.settled;
  if (from === undefined || tally.hour < from.getTime()) return false;
  // One that a version before has begun has no run, and adds to rows alone.
  if (!plan.runs?.some(({ run }) => run === plan.fold)) return false;
  return isCounted(plan, tally) && !isClosed(plan, tally);
}

/** Whether what an owner's key was used for in this hour goes to the fold's run; else it is added to the owner's documents. */
export function isOwnerOpen({ owners, fold }: PlanDocument, { hour }: Pick<UsageTally, 'hour'>): boolean {
  if (owners === undefined || hour < (owners.settling?.before ?? owners.settled).getTime()) return false;
  // One that a version before has begun has no run.
  return owners.runs?.some(({ run }) => run === fold) === true;
}

/** What replicas still hold of an hour when it is over has come by then. */
const graceMs = 60_000;

/** Hours before this are over, and all that was used in them is known. */
export function hoursOver(now: number): number {
  return startOf('hour', now - graceMs);
}

/** Hours before this are in rows alone. */
export function settledOf(plan: PlanDocument | null): number {
  return plan?.settled?.getTime() ?? earliest;
}

/** All use of this hour and of later ones goes to open documents; null where that cannot be said. */
export function openFrom({ settled, settling, closed, counted, owners }: PlanDocument): number | null {
  if (settled === undefined || closed === undefined || owners === undefined || counted !== null) return null;
  return Math.max(
    (settling?.before ?? settled).getTime(),
    (owners.settling?.before ?? owners.settled).getTime(),
    closed.getTime() - usageRetentionMs,
  );
}

/** Of such hours it is given out: of those that are over it would keep them from being settled. */
export function givenFrom(plan: PlanDocument, over: number): number | null {
  const open = openFrom(plan);
  return open === null ? null : Math.max(open, over);
}
