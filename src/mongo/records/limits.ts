import { randomBytes } from 'node:crypto';
import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import { createLeaseBatches } from '../../store/lease-batches.ts';
import { type UnitLease, type UnitLeaseRequest, windowGraceMs } from '../../store/store.ts';
import { limitsName } from '../collections.ts';
import { duplicatesOf } from '../errors.ts';
import { type Sessions, withinDeadline } from '../sessions.ts';

/** What has been leased of one window, in the collection `limits`. */
interface LimitDocument {
  /** The spender and its window. */
  _id: string;
  leased: number;
  /** What the lease that was written last has added. */
  granted: number;
  /** The last leases that were written with others, at most {@link grantsMax}. */
  grants?: readonly Grant[];
  purge_at: Date;
}

/** How one lease is found again that was written with others: a bulk write tells nothing of each of its parts. */
interface Grant extends UnitLease {
  readonly by: string;
}

/** Leased units of rate limits. */
export interface LimitCollection {
  lease(request: UnitLeaseRequest): Promise<UnitLease>;
}

/** Far more than one window is leased from between a write and the read that follows it, by a whole fleet. */
const grantsMax = 64;
/** Batches that are under way at once, each with a connection of its own. */
const batchesMax = 4;

export function createLimitCollection(database: Db, sessions: Sessions, timeoutMs: number): LimitCollection {
  const limits: Collection<LimitDocument> = database.collection(limitsName);
  const batched = createLeaseBatches({ leaseAll }, { underWayMax: batchesMax });

  return { lease: (request) => withinDeadline(timeoutMs, (signal) => batched(request, signal)) };

  /** By two questions to the server where many windows are asked for, and by one for each that is asked for again. */
  async function leaseAll(requests: readonly UnitLeaseRequest[]): Promise<UnitLease[]> {
    // One of each window: many of one would push each other out of what is remembered of it.
    const firsts = [...new Map(requests.toReversed().map((request) => [idOf(request), request])).values()];
    const grants = firsts.length > 1 ? await grantAll(firsts) : new Map<UnitLeaseRequest, UnitLease>();
    return Promise.all(requests.map((request) => grants.get(request) ?? leaseOne(request)));
  }

  async function leaseOne(request: UnitLeaseRequest): Promise<UnitLease> {
    const document = await sessions.write(
      (session) =>
        limits.findOneAndUpdate({ _id: idOf(request) }, leasing(request), {
          ...{ upsert: true, returnDocument: 'after', session },
        }),
      { timeoutMs },
    );
    return { granted: document?.granted ?? 0, leased: document?.leased ?? request.limit };
  }

  /** Of different windows; without those that are to be asked for by themselves. */
  async function grantAll(requests: readonly UnitLeaseRequest[]): Promise<Map<UnitLeaseRequest, UnitLease>> {
    const batch = randomBytes(9).toString('base64url');
    const operations = requests.map((request, place): AnyBulkWriteOperation<LimitDocument> => {
      const update = [...leasing(request), remembering(`${batch} ${place}`)];
      return { updateOne: { filter: { _id: idOf(request) }, update, upsert: true } };
    });
    // A window that several replicas begin at once may be a duplicate for one of them, who has leased nothing then.
    await sessions.write(
      (session) => duplicatesOf(limits.bulkWrite(operations, { ordered: false, session })),
      { timeoutMs },
    );
    const documents = await sessions.read(
      (read) =>
        limits.find({ _id: { $in: requests.map(idOf) } }, { ...read, projection: { grants: 1 } }).toArray(),
      { timeoutMs },
    );
    const found = new Map(documents.flatMap(({ grants = [] }) => grants.map((grant) => [grant.by, grant])));
    const granted = new Map<UnitLeaseRequest, UnitLease>();
    for (const [place, request] of requests.entries()) {
      const grant = found.get(`${batch} ${place}`);
      // Where others have pushed it out, it is spent, as an answer that was lost.
      if (grant !== undefined) granted.set(request, { granted: grant.granted, leased: grant.leased });
    }
    return granted;
  }
}

function idOf({ spender, windowStart, windowEnd }: UnitLeaseRequest): string {
  return `${spender} ${windowStart} ${windowEnd}`;
}

function leasing({ limit, units, unitsMin, windowEnd }: UnitLeaseRequest) {
  const before = { $ifNull: ['$leased', 0] };
  const left = { $subtract: [limit, before] };
  const granted = { $cond: [{ $lt: [left, unitsMin] }, 0, { $min: [units, left] }] };
  return [
    { $set: { granted, purge_at: new Date(windowEnd + windowGraceMs) } },
    { $set: { leased: { $add: [before, '$granted'] } } },
  ];
}

function remembering(by: string) {
  const grant = { by, granted: '$granted', leased: '$leased' };
  const grants = { $concatArrays: [{ $ifNull: ['$grants', []] }, [grant]] };
  return { $set: { grants: { $slice: [grants, -grantsMax] } } };
}
