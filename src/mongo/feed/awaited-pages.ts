import type { Collection, Db, FindCursor, Timestamp } from 'mongodb';
import { isNotCapped, makeCapped } from '../capped.ts';
import { relayPagesName } from '../collections.ts';
import { mongoError } from '../errors.ts';
import type { Sessions } from '../sessions.ts';
import type { Pages, RelayedPage } from './pages.ts';

/** A page in the collection `relay_pages`, which is capped: the oldest go as others come. */
interface PageDocument {
  from: Timestamp;
  up_to: Timestamp;
  seen: Timestamp;
  told: RelayedPage['told'];
}

/** Pages cannot be waited for: their collection is not capped, or is not there and cannot be made. */
export class NotCapped extends Error {
  override name = 'NotCapped';
}

/** Of the last pages, as many as two relays write while one looks. */
const latestMax = 20;
/** A wait ends before the socket is taken for lost, and is begun anew. */
const awaitMaxMs = 3_000;
/** Whoever waits at a member that is the primary no more begins anew at the one that is. */
const cursorLifeMs = 30_000;

/**
 * A cursor that has ended by itself is opened again where the reader has come to: it lagged so far behind that what it was
 * at is gone (136), the collection was dropped (175, 237), or the server has forgotten it (43).
 */
const endedCodes: ReadonlySet<unknown> = new Set([136, 175, 237, 43]);

/**
 * Pages that readers wait for at the end of a capped collection. MongoDB wakes them for what is inserted into that one alone,
 * and not, as those who wait at a change stream, for every entry of the oplog. They are told of a page before a majority has
 * it, and it may be gone again after a failover: what it says is true all the same, since it was read from a change stream,
 * which tells of nothing that a majority does not have. Whoever reads with majority concern is not woken when that is so.
 */
export function createAwaitedPages(database: Db, sessions: Sessions): Pages {
  const pages: Collection<PageDocument> = database.collection(relayPagesName, {
    readConcern: { level: 'local' },
  });
  let cursor: FindCursor<PageDocument> | null = null;
  let openUntil = 0;
  /** What is waited for, which goes on when whoever asked has waited long enough. */
  let waiting: Promise<RelayedPage[] | 'none' | 'lost'> | null = null;

  function open(after: Timestamp): FindCursor<PageDocument> {
    openUntil = performance.now() + cursorLifeMs * (1 + Math.random());
    return pages.find(
      { up_to: { $gt: after } },
      { tailable: true, awaitData: true, maxAwaitTimeMS: awaitMaxMs },
    );
  }

  function close(): void {
    // Not waited for: it would ask a server that may be gone.
    cursor?.close().catch(() => {});
    cursor = null;
    waiting = null;
  }

  /** None where there is no page at all, and so nothing to wait at the end of. */
  async function next(from: FindCursor<PageDocument>): Promise<RelayedPage[] | 'none' | 'lost'> {
    try {
      const first = await from.tryNext();
      if (first === null) return from.closed ? 'none' : [];
      return [first, ...from.readBufferedDocuments()].map(toPage);
    } catch (error) {
      if (isNotCapped(error)) throw new NotCapped();
      if (endedCodes.has((error as { readonly code?: unknown }).code)) return 'lost';
      throw mongoError(error);
    }
  }

  const read: Pages['read'] = async (after, wait) => {
    if (waiting === null) {
      if (performance.now() >= openUntil) close();
      cursor ??= open(after);
      waiting = next(cursor);
      // Whoever has stopped waiting for it does not ask what became of it.
      waiting.catch(() => {});
    }
    const waited = wait();
    const found = await Promise.race([waiting, waited.then(() => 'waited' as const)]).catch((error) => {
      close();
      throw error;
    });
    if (found === 'waited') return [];
    waiting = null;
    if (found !== 'none' && found !== 'lost') return found;
    close();
    if (found === 'lost') return read(after, () => waited);
    await waited;
    return [];
  };

  return {
    async write({ from, upTo, seen, told }) {
      await sessions.write((session) => pages.insertOne({ from, up_to: upTo, seen, told }, { session }));
    },
    read,
    async latest() {
      const last = await sessions.write(async (session) => {
        const found = await pages
          .find({}, { session, sort: { $natural: -1 }, limit: latestMax, projection: { from: 1, up_to: 1 } })
          .toArray();
        // Whoever writes into a collection that is not there would make one that is not capped.
        if (found.length === 0 && !(await makeCapped(database, relayPagesName, session)))
          throw new NotCapped();
        return found;
      });
      return last.reverse().map(({ from, up_to }) => ({ from, upTo: up_to }));
    },
    async check() {
      const look = pages.find({}, { tailable: true, batchSize: 1, projection: { _id: 1 } });
      const found = next(look);
      await found.finally(() => look.close().catch(() => {}));
    },
    close,
  };
}

function toPage({ from, up_to, seen, told }: PageDocument): RelayedPage {
  return { from, upTo: up_to, seen, told };
}
