import type { AnyBulkWriteOperation } from 'mongodb';
import type { Reason } from '../../../schemes/answer.ts';
import { requestsOf } from '../../../store/usage/usage-store.ts';
import { type SumLevel, sumRetentionMs, type UsageUnit } from '../../../store/usage/usage-sums.ts';
import type { UsageTally } from '../../../store/usage/usage-tally.ts';
import { isEmpty } from '../packed-tallies.ts';

/** What keys were used for within an hour, a day or a month, in the collection `usage_sums`. */
export interface SumDocument {
  /** What it is a sum of: see {@link sumId}. */
  _id: string;
  start: Date;
  owner: string | null;
  /** Of one key, and then without the next three. */
  key?: string;
  plan?: string | null;
  scheme?: string | null;
  environment?: string | null;
  allowed: number;
  /** All that are denied. */
  denials: number;
  denied?: Partial<Record<Reason, number>>;
  observed?: Partial<Record<Reason, number>>;
  /** The last fold, or slice of hours, that added to it. */
  fold: number;
  /** Of one key: the last slice that added to it, and how much that was. */
  closing?: number;
  last?: Pick<SumDocument, 'allowed' | 'denials' | 'denied' | 'observed'>;
  purge_at: Date;
}

/** What is to be added to a document, or made one. */
export interface Sum extends Pick<SumDocument, 'owner' | 'key' | 'plan' | 'scheme' | 'environment'> {
  readonly unit: UsageUnit;
  readonly start: number;
  allowed: number;
  denied: UsageTally['denied'];
  observed: UsageTally['denied'];
}

/** What a document is a sum of: its level and unit, the start, the owner, and the key or what the keys were. */
export function sumId(level: SumLevel, unit: UsageUnit, start: number, owner: string | null, item: string) {
  return `${startId(level, unit, start)} ${ownerId(owner)} ${item}`;
}

/** How the ids of all sums of a level, unit and start begin: in the order of their starts. */
export function startId(level: SumLevel, unit: UsageUnit, start: number): string {
  const digits = { hour: 13, day: 10, month: 7 }[unit];
  return `${level}/${unit}/${new Date(start).toISOString().slice(0, digits)}`;
}

/** Without the space that separates it. */
export function ownerId(owner: string | null): string {
  return (owner ?? '').replace(/[ %]/g, encodeURIComponent);
}

/** As {@link addition} would make it of a whole hour's sum. */
export function closedSum(_id: string, sum: Sum, fold: number): SumDocument {
  const { unit, start, allowed, denied, observed, ...what } = sum;
  const counts = {
    ...{ allowed, denials: requestsOf({ allowed: 0, denied, observed: {} }) },
    ...(!isEmpty(denied) && { denied }),
    ...(!isEmpty(observed) && { observed }),
  };
  return {
    ...{ _id, ...what, start: new Date(start), ...counts, fold, closing: fold, last: counts },
    purge_at: new Date(start + sumRetentionMs[unit]),
  };
}

/** Adds a sum to its document, once for a fold of this number; those of closed hours so that who reads can take them off. */
export function addition(
  _id: string,
  sum: Sum,
  fold: number,
  isClosing: boolean,
): AnyBulkWriteOperation<SumDocument> {
  const { unit, start, allowed, denied, observed, ...what } = sum;
  const denials = requestsOf({ allowed: 0, denied, observed: {} });
  const counts = Object.entries({ denied, observed }).flatMap(([kind, byReason]) =>
    Object.entries(byReason).map(([reason, count]) => [`${kind}.${reason}`, count]),
  );
  const update = {
    $inc: { allowed, denials, ...Object.fromEntries(counts) },
    $set: { fold, ...(isClosing && { closing: fold, last: { allowed, denials, denied, observed } }) },
    $setOnInsert: {
      ...what,
      start: new Date(start),
      purge_at: new Date(start + sumRetentionMs[unit]),
    },
  };
  return { updateOne: { filter: { _id, fold: { $not: { $gte: fold } } }, update, upsert: true } };
}
