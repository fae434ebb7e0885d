import { randomBytes } from 'node:crypto';
import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import { createLeaseBatches } from '../../store/lease-batches.ts';
import {
  type UnitLease,
  type UnitLeaseRequest,
  type UnitReturn,
  type UnitStore,
  type UnitWindow,
  windowGraceMs,
} from '../../store/units.ts';
import { limitsName } from '../collections.ts';
import { duplicatesOf } from '../errors.ts';
import { type ReadOptions, type Sessions, withinDeadline } from '../sessions.ts';

/** What has been leased of one window, in the collection `limits`. */
export interface LimitDocument {
  /** The spender and its window. */
  _id: string;
  leased: number;
  /** What the last lease that was written by itself has added. */
  granted: number;
  /** Whether anything was charged, and the count before the last charge; absent where nothing was. */
  is_charged?: boolean;
  before?: number;
  /** The last leases that were written with others, at most {@link grantsMax}. */
  grants?: readonly Grant[];
  purge_at: Date;
}

/** How one lease is found again that was written with others: the server tells nothing of each of them. */
interface Grant extends Pick<UnitLease, 'granted' | 'leased'> {
  readonly by: string;
}

/** Leased units of rate limits, charges aside. */
export type LimitCollection = Pick<UnitStore, 'leaseUnits' | 'returnUnits' | 'countUnits'>;

/** Far more than one window is leased from between a write and the read that follows it, by a whole fleet. */
const grantsMax = 64;
/** Batches that are under way at once, each with a connection of its own; those that begin windows are others. */
const batchesMax = 4;
const beginningsMax = 2;

/** `timeoutMs` is that of leases, which Checks wait for, and of what they give back. */
export function createLimitCollection(database: Db, sessions: Sessions, timeoutMs: number): LimitCollection {
  const limits: Collection<LimitDocument> = database.collection(limitsName);
  const leased = createLeaseBatches({ leaseAll }, { underWayMax: batchesMax });
  const begun = createLeaseBatches({ leaseAll: beginAll }, { underWayMax: beginningsMax });

  return {
    leaseUnits: (request) =>
      withinDeadline(timeoutMs, (signal) => (isBeginning(request) ? begun : leased)(request, signal)),
    async returnUnits(returns) {
      const operations = returns.map(returning);
      await sessions.write((session) => limits.bulkWrite(operations, { ordered: false, session }), {
        timeoutMs,
      });
    },
    countUnits: (windows) =>
      sessions.read(async (read) => {
        const ids = windows.map(windowId);
        const documents = await limits.find({ _id: { $in: ids } }, read).toArray();
        const counts = new Map(documents.map(({ _id, leased }) => [_id, leased]));
        return Promise.all(
          windows.map(async (window) =>
            withCarried(counts.get(windowId(window)) ?? 0, await carriedInto(limits, window, read)),
          ),
        );
      }),
  };

  /** An insert costs the server a tenth of an update. Windows that somebody else has begun are leased from as all are. */
  async function beginAll(
    requests: readonly UnitLeaseRequest[],
  ): Promise<(UnitLease | Promise<UnitLease>)[]> {
    const documents = requests.map((request) => ({
      ...{ _id: windowId(request), purge_at: purgeAtOf(request) },
      ...{ leased: grantedAtFirst(request), granted: grantedAtFirst(request) },
    }));
    const known = await sessions.write(
      (session) => duplicatesOf(limits.insertMany(documents, { ordered: false, session })),
      { timeoutMs },
    );
    return requests.map((request, place) => {
      const granted = grantedAtFirst(request);
      return known.has(place) ? leased(request) : { granted, leased: granted };
    });
  }

  /** By two questions to the server where many windows are asked for, and by one for each that is asked for again. */
  async function leaseAll(
    requests: readonly UnitLeaseRequest[],
  ): Promise<(UnitLease | Promise<UnitLease>)[]> {
    // One of each window: many of one would push each other out of what is remembered of it.
    const plain = requests.filter(({ carriesAt, units }) => carriesAt === undefined && units > 0);
    const firsts = [...new Map(plain.toReversed().map((request) => [windowId(request), request])).values()];
    const found = new Map<UnitLeaseRequest, UnitLease | 'unknown' | 'absent'>();
    if (firsts.length > 1) await grantAll(firsts, found);
    const unknown = requests.filter((request) => (found.get(request) ?? 'unknown') === 'unknown');
    await Promise.all(unknown.map(async (request) => found.set(request, await leaseOne(request))));
    return requests.map((request) => {
      const lease = found.get(request) as UnitLease | 'absent';
      return lease === 'absent' ? begun(request) : lease;
    });
  }

  async function leaseOne(request: UnitLeaseRequest): Promise<UnitLease> {
    const carried = await sessions.read((read) => carriedInto(limits, request, read), { timeoutMs });
    const document = await sessions.write(
      (session) =>
        limits.findOneAndUpdate({ _id: windowId(request) }, leasing(request, carried), {
          ...{ upsert: true, returnDocument: 'after', session },
        }),
      { timeoutMs },
    );
    const isCharged = document?.is_charged === true;
    return {
      ...{ granted: document?.granted ?? 0, leased: document?.leased ?? request.limit },
      ...(isCharged && { isCharged }),
    };
  }

  /** Of different windows, those that are alike by one update: to the server that is a third of one for each. */
  async function grantAll(
    requests: readonly UnitLeaseRequest[],
    found: Map<UnitLeaseRequest, UnitLease | 'unknown' | 'absent'>,
  ): Promise<void> {
    const by = randomBytes(9).toString('base64url');
    const alike = Map.groupBy(requests, ({ limit, units, unitsMin }) => `${limit} ${units} ${unitsMin}`);
    const operations = [...alike.values()].map((group): AnyBulkWriteOperation<LimitDocument> => {
      const update = adding(group[0] as UnitLeaseRequest, by);
      return { updateMany: { filter: { _id: { $in: group.map(windowId) } }, update } };
    });
    await sessions.write((session) => limits.bulkWrite(operations, { ordered: false, session }), {
      timeoutMs,
    });
    const projection = { leased: 1, grants: 1, is_charged: 1 };
    const ids = requests.map(windowId);
    const documents = await sessions.read(
      (read) => limits.find({ _id: { $in: ids } }, { ...read, projection }).toArray(),
      { timeoutMs },
    );
    const windows = new Map(documents.map((document) => [document._id, document]));
    for (const request of requests) {
      const document = windows.get(windowId(request));
      found.set(request, document === undefined ? 'absent' : (leaseIn(document, request, by) ?? 'unknown'));
    }
  }
}

/** What a batch has leased of a window; null where that cannot be told, since others have pushed it out: it is spent. */
function leaseIn(
  { grants = [], leased, is_charged }: LimitDocument,
  { limit, unitsMin }: UnitLeaseRequest,
  by: string,
): UnitLease | null {
  const grant = grants.find((one) => one.by === by);
  if (grant === undefined && limit - leased >= unitsMin) return null;
  return {
    ...{ granted: grant?.granted ?? 0, leased: grant?.leased ?? leased },
    ...(is_charged === true && { isCharged: true }),
  };
}

function isBeginning(request: UnitLeaseRequest): boolean {
  return request.isLikelyFirst === true && request.carriesAt === undefined && grantedAtFirst(request) > 0;
}

/** Of a window that nothing was leased of. */
function grantedAtFirst({ limit, units, unitsMin }: UnitLeaseRequest): number {
  return limit < Math.max(1, unitsMin) ? 0 : Math.min(units, limit);
}

export function windowId({ spender, windowStart, windowEnd }: UnitWindow): string {
  return `${spender} ${windowStart} ${windowEnd}`;
}

/** What was given out of another window that this one goes on from; 0 for none, which is mostly not asked for. */
export async function carriedInto(
  limits: Collection<LimitDocument>,
  { spender, windowStart, windowEnd, carriesAt: at }: UnitWindow,
  read: ReadOptions,
): Promise<number> {
  if (at === undefined) return 0;
  // '!' is what comes after a blank.
  const range = { $gt: `${spender} `, $lt: `${spender}!` };
  const documents = await limits.find({ _id: range }, { ...read, projection: { leased: 1 } }).toArray();
  let most = 0;
  for (const { _id, leased } of documents) {
    const [start, end, ...more] = _id
      .slice(spender.length + 1)
      .split(' ')
      .map(Number);
    if (start === undefined || end === undefined || more.length > 0) continue;
    const overlaps = start < windowEnd && end > windowStart;
    if (overlaps && start <= at && at < end) most = Math.max(most, leased);
  }
  return most;
}

/** A count may be less than nothing, where more was given back than spent. */
export function withCarried(own: number, carried: number): number {
  return carried > 0 ? Math.max(own, carried) : own;
}

/** When a window is forgotten. */
export function purgeAtOf(window: UnitWindow): Date {
  return new Date(window.windowEnd + windowGraceMs(window));
}

function returning({ units, ...window }: UnitReturn): AnyBulkWriteOperation<LimitDocument> {
  return { updateOne: { filter: { _id: windowId(window) }, update: { $inc: { leased: -units } } } };
}

function leasing(request: UnitLeaseRequest, carried: number) {
  const own = { $ifNull: ['$leased', 0] };
  const before = carried > 0 ? { $max: [own, carried] } : own;
  return [
    { $set: { granted: grantedOf(request, before), purge_at: purgeAtOf(request) } },
    { $set: { leased: { $add: [before, '$granted'] } } },
  ];
}

/** Changes nothing where nothing is left. */
function adding(request: UnitLeaseRequest, by: string) {
  const granted = grantedOf(request, '$leased');
  const leased = { $add: ['$leased', granted] };
  const grants = { $concatArrays: [{ $ifNull: ['$grants', []] }, [{ by, granted, leased }]] };
  const remembered = { $cond: [{ $gt: [granted, 0] }, { $slice: [grants, -grantsMax] }, '$grants'] };
  return [{ $set: { leased, grants: remembered } }];
}

function grantedOf({ limit, units, unitsMin }: UnitLeaseRequest, before: object | string) {
  const left = { $subtract: [limit, before] };
  return { $cond: [{ $lt: [left, Math.max(1, unitsMin)] }, 0, { $min: [units, left] }] };
}
