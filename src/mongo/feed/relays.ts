import { type Collection, type Db, ObjectId, type Timestamp } from 'mongodb';
import { relayedName } from '../collections.ts';
import { createDutyCollection } from '../records/duties.ts';
import type { Sessions } from '../sessions.ts';
import type { Told } from './told.ts';

/** Everything that a change stream has told of after one time and up to another. */
export interface RelayedPage {
  readonly from: Timestamp;
  readonly upTo: Timestamp;
  /** The latest that the stream had seen: reads that are made for these changes are no older. */
  readonly seen: Timestamp;
  readonly told: readonly Told[];
}

/** The same in the collection `relayed`. */
interface RelayedDocument {
  _id: ObjectId;
  from: Timestamp;
  up_to: Timestamp;
  seen: Timestamp;
  told: readonly Told[];
  /** A TTL index removes the document at this time. */
  purge_at: Date;
}

/**
 * What a few replicas read of the change stream and hand on to all others. A page says by itself what it is of, so that
 * any number of relays may write, the same twice too, and a reader goes on from page to page as far as they join.
 */
export interface Relays {
  /** Durable by majority when it resolves. */
  write(page: RelayedPage): Promise<void>;
  /** Pages that lead beyond this time, in their order. At most {@link pagesAtOnce}. */
  read(after: Timestamp): Promise<RelayedPage[]>;
  /** Where a relay that has come to this time begins, so that readers find no page missing: where the last page ends. */
  beginningFor(at: Timestamp): Promise<Timestamp>;
  /** Becomes a relay, or stays the one of this place. Answers the place; null where others are. */
  claim(place: number | null): Promise<number | null>;
  giveBack(place: number): Promise<void>;
}

export const pagesAtOnce = 100;
/** One that ends without a word is made up for by the other. */
const places = 2;
/** Far longer than a reader may lag behind. */
const keptMs = 120_000;
const lateMaxSeconds = 60;
/** Of a cluster time. */
const secondsOf = (time: Timestamp) => time.getHighBitsUnsigned();

/** `placeMs` is how long a place is a relay's that says nothing. */
export function createRelays(
  database: Db,
  sessions: Sessions,
  { runId, placeMs }: { readonly runId: string; readonly placeMs: number },
): Relays {
  const duties = createDutyCollection(database, sessions);
  const relayed: Collection<RelayedDocument> = database.collection(relayedName);
  const dutyOf = (place: number) => `relay changes ${place}`;
  const isOurs = async (place: number) =>
    (await duties.claimDuty(dutyOf(place), runId, placeMs)) !== null ? place : null;

  return {
    async write({ from, upTo, seen, told }) {
      // By the server's clock, as the TTL index.
      const purge_at = { $add: ['$$NOW', keptMs] };
      const members = { from, up_to: upTo, seen, told: { $literal: told }, purge_at };
      await sessions.write((session) =>
        relayed.updateOne({ _id: new ObjectId() }, [{ $set: members }], { upsert: true, session }),
      );
    },
    async read(after) {
      const found = await sessions.read((read) =>
        relayed
          .find({ up_to: { $gt: after } }, { ...read, sort: { up_to: 1 }, limit: pagesAtOnce })
          .toArray(),
      );
      return found.map(({ from, up_to, seen, told }) => ({ from, upTo: up_to, seen, told }));
    },
    async beginningFor(at) {
      const last = await sessions.read((read) =>
        relayed.findOne({}, { ...read, sort: { up_to: -1 }, projection: { up_to: 1 } }),
      );
      // Older ones are those of a restored database, or of a fleet that was large once.
      const end = last?.up_to;
      return end?.lessThan(at) && secondsOf(at) - secondsOf(end) < lateMaxSeconds ? end : at;
    },
    async claim(place) {
      if (place !== null) return isOurs(place);
      for (let at = 0; at < places; at++) if ((await isOurs(at)) !== null) return at;
      return null;
    },
    async giveBack(place) {
      await duties.claimDuty(dutyOf(place), runId, 0);
    },
  };
}
