import { type Collection, type Db, ObjectId, type Timestamp } from 'mongodb';
import { relayedName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';
import { type Pages, pagesAtOnce, type RelayedPage } from './pages.ts';

/** A page in the collection `relayed`. */
interface RelayedDocument {
  _id: ObjectId;
  from: Timestamp;
  up_to: Timestamp;
  seen: Timestamp;
  told: RelayedPage['told'];
  /** A TTL index removes the document at this time. */
  purge_at: Date;
}

/** Far longer than a reader may lag behind. */
const keptMs = 120_000;

/** Pages that are looked for by an index, again and again: of replicas that cannot wait for them, and of versions before. */
export function createPolledPages(database: Db, sessions: Sessions): Pages {
  const relayed: Collection<RelayedDocument> = database.collection(relayedName);

  return {
    async write({ from, upTo, seen, told }) {
      // By the server's clock, as the TTL index.
      const purge_at = { $add: ['$$NOW', keptMs] };
      const members = { from, up_to: upTo, seen, told: { $literal: told }, purge_at };
      await sessions.write((session) =>
        relayed.updateOne({ _id: new ObjectId() }, [{ $set: members }], { upsert: true, session }),
      );
    },
    async read(after, wait) {
      await wait();
      const found = await sessions.read((read) =>
        relayed
          .find({ up_to: { $gt: after } }, { ...read, sort: { up_to: 1 }, limit: pagesAtOnce })
          .toArray(),
      );
      return found.map(({ from, up_to, seen, told }) => ({ from, upTo: up_to, seen, told }));
    },
    async latest() {
      const [last] = await sessions.read((read) =>
        relayed
          .find({}, { ...read, sort: { up_to: -1 }, limit: 1, projection: { from: 1, up_to: 1 } })
          .toArray(),
      );
      return last === undefined ? [] : [{ from: last.from, upTo: last.up_to }];
    },
    async check() {},
    close() {},
  };
}
