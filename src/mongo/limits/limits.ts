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
  /** What the lease that was written last has added. */
  granted: number;
  /** Whether anything was charged, and the count before the last charge; absent where nothing was. */
  is_charged?: boolean;
  before?: number;
  /** The last leases that were written with others, at most {@link grantsMax}. */
  grants?: readonly Grant[];
  purge_at: Date;
}

/** How one lease is found again that was written with others: a bulk write tells nothing of each of its parts. */
interface Grant extends Pick<UnitLease, 'granted' | 'leased'> {
  readonly by: string;
}

/** Leased units of rate limits, charges aside. */
export type LimitCollection = Pick<UnitStore, 'leaseUnits' | 'returnUnits' | 'countUnits'>;

/** Far more than one window is leased from between a write and the read that follows it, by a whole fleet. */
const grantsMax = 64;
/** Batches that are under way at once, each with a connection of its own. */
const batchesMax = 4;

/** `timeoutMs` is that of leases, which Checks wait for, and of what they give back. */
export function createLimitCollection(database: Db, sessions: Sessions, timeoutMs: number): LimitCollection {
  const limits: Collection<LimitDocument> = database.collection(limitsName);
  const batched = createLeaseBatches({ leaseAll }, { underWayMax: batchesMax });

  return {
    leaseUnits: (request) => withinDeadline(timeoutMs, (signal) => batched(request, signal)),
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

  /** By two questions to the server where many windows are asked for, and by one for each that is asked for again. */
  async function leaseAll(requests: readonly UnitLeaseRequest[]): Promise<UnitLease[]> {
    // One of each window: many of one would push each other out of what is remembered of it.
    const plain = requests.filter(({ carriesAt, units }) => carriesAt === undefined && units > 0);
    const firsts = [...new Map(plain.toReversed().map((request) => [windowId(request), request])).values()];
    const grants = firsts.length > 1 ? await grantAll(firsts) : new Map<UnitLeaseRequest, UnitLease>();
    return Promise.all(requests.map((request) => grants.get(request) ?? leaseOne(request)));
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

  /** Of different windows; without those that are to be asked for by themselves. */
  async function grantAll(requests: readonly UnitLeaseRequest[]): Promise<Map<UnitLeaseRequest, UnitLease>> {
    const batch = randomBytes(9).toString('base64url');
    const operations = requests.map((request, place): AnyBulkWriteOperation<LimitDocument> => {
      const update = [...leasing(request, 0), remembering(`${batch} ${place}`)];
      return { updateOne: { filter: { _id: windowId(request) }, update, upsert: true } };
    });
    // A window that several replicas begin at once may be a duplicate for one of them, who has leased nothing then.
    await sessions.write(
      (session) => duplicatesOf(limits.bulkWrite(operations, { ordered: false, session })),
      { timeoutMs },
    );
    const documents = await sessions.read(
      (read) =>
        limits
          .find(
            { _id: { $in: requests.map(windowId) } },
            { ...read, projection: { grants: 1, is_charged: 1 } },
          )
          .toArray(),
      { timeoutMs },
    );
    const found = new Map(
      documents.flatMap(({ grants = [], is_charged }) =>
        grants.map((grant) => [grant.by, { ...grant, isCharged: is_charged === true }]),
      ),
    );
    const granted = new Map<UnitLeaseRequest, UnitLease>();
    for (const [place, request] of requests.entries()) {
      const grant = found.get(`${batch} ${place}`);
      // Where others have pushed it out, it is spent, as an answer that was lost.
      if (grant === undefined) continue;
      const { isCharged } = grant;
      granted.set(request, {
        ...{ granted: grant.granted, leased: grant.leased },
        ...(isCharged && { isCharged }),
      });
    }
    return granted;
  }
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
  const { limit, units, unitsMin } = request;
  const own = { $ifNull: ['$leased', 0] };
  const before = carried > 0 ? { $max: [own, carried] } : own;
  const left = { $subtract: [limit, before] };
  const granted = { $cond: [{ $lt: [left, Math.max(1, unitsMin)] }, 0, { $min: [units, left] }] };
  return [
    { $set: { granted, purge_at: purgeAtOf(request) } },
    { $set: { leased: { $add: [before, '$granted'] } } },
  ];
}

function remembering(by: string) {
  const grant = { by, granted: '$granted', leased: '$leased' };
  const grants = { $concatArrays: [{ $ifNull: ['$grants', []] }, [grant]] };
  return { $set: { grants: { $slice: [grants, -grantsMax] } } };
}
