/** What each part of a fleet's work costs its MongoDB, measured one by one with the code that does it. */
import { MongoClient, Timestamp } from 'mongodb';
import type { KeyId } from '../../src/keys/key.ts';
import { concerns, createClient, timeoutsOf } from '../../src/mongo/client.ts';
import { createRelays } from '../../src/mongo/feed/relays.ts';
import { createLimitCollection } from '../../src/mongo/limits/limits.ts';
import { createSessions, type Sessions } from '../../src/mongo/sessions.ts';
import type { Mongo } from '../../test/real/mongod.ts';
import { readProcessorTime, since } from '../common/processor-time.ts';
import { several } from '../common/several.ts';
import { measureUse } from './use-parts.ts';

/** Microseconds of the server's processor. */
export interface PartCosts {
  /** A linearizable read, at 300 a second. */
  readonly question: number;
  /** A follower that is woken by a page which a relay hands on, and waits for the next; of {@link followersWoken} at once. */
  readonly pageWake: number;
  /** An acknowledgement. */
  readonly acknowledgement: number;
  /** A look at who of a thousand has not answered. */
  readonly poll: number;
  /** One lease of a window that somebody has begun, of {@link leasesOfCall} at once, and of {@link leasesOfLargeCall}. */
  readonly lease: number;
  readonly leaseOfMany: number;
  /** One by which a window begins, and one that was to begin a window which somebody else has begun, of as many at once. */
  readonly leaseBegun: number;
  readonly leaseRefused: number;
  /** The window that it is of, when a TTL index removes it. */
  readonly windowEnd: number;
  /** A batch of the use of 3 600 keys: written, read, removed. */
  readonly batch: number;
  /** The same where each key has another owner. */
  readonly batchOfOwners: number;
  /** A document of an open hour, written and removed; each row in it; and one that is read. */
  readonly openDocument: number;
  readonly openRow: number;
  readonly mergedRow: number;
  /** A key's row of an hour that is over; and what it takes to read it, when hours are closed. */
  readonly settled: number;
  readonly closedRow: number;
  /** The last use of a key, on its own document. */
  readonly touch: number;
  /** A day of a key that is new, and a day or a month that is added to. */
  readonly newSum: number;
  readonly sum: number;
  /** A row of an owner in an open hour; one that is read; and one of an hour, a day or a month that is over, with its document. */
  readonly ownerRow: number;
  readonly ownerMergedRow: number;
  readonly ownerPastRow: number;
}

export const followersWoken = 100;
export const leasesOfCall = 10;
export const leasesOfLargeCall = 200;

/** In the database of the store that has been opened once, whose `keys` these are. */
export async function measureParts(mongo: Mongo, uri: string, keys: readonly KeyId[]): Promise<PartCosts> {
  const timeouts = timeoutsOf({ operationMs: 60_000, connectMs: 20_000 });
  const client = await createClient(uri, timeouts).connect();
  const database = client.db(undefined, concerns(timeouts));
  const sessions = createSessions(client, { timeoutMs: 60_000 });
  const pid = (await mongo.primary()).pid();
  const replicas = database.collection<{ _id: string; applied?: Timestamp }>('replicas');
  const idle = await ran(pid, () => pause(3_000));
  const each = async (count: number, work: () => Promise<unknown>) => {
    const { us, ms } = await ran(pid, work);
    return (us - ms * (idle.us / idle.ms)) / count;
  };
  try {
    await replicas.insertMany(
      Array.from({ length: 1_000 }, (_, at) => ({
        _id: `run-${at}`,
        applied: new Timestamp({ t: 9, i: 1 }),
      })),
    );
    const look = () =>
      sessions.latest((read) => replicas.findOne({ _id: 'run-1' }, { ...read, projection: { _id: 1 } }));
    const acknowledge = (at: number) =>
      sessions.write((session) =>
        replicas.updateMany(
          { _id: `run-${at % 1_000}` },
          { $max: { applied: new Timestamp({ t: 10, i: at }) } },
          { session, writeConcern: { w: 1 } },
        ),
      );
    const lagging = () =>
      sessions.read((read) =>
        replicas.find({ applied: { $not: { $gte: new Timestamp({ t: 8, i: 1 }) } } }, read).toArray(),
      );
    const question = await each(1_500, () => atRate(1_500, 300, look));
    const pageWake = await measureWakes(database, uri, sessions, each);
    const acknowledgement = await each(3_000, () => several(3_000, 8, acknowledge));
    const poll = await each(300, () => several(300, 1, lagging));
    return {
      ...{ question, pageWake, acknowledgement, poll },
      ...(await measureLeases(database, sessions, each)),
      ...(await measureUse(database, sessions, keys, each)),
    };
  } finally {
    await client.close();
  }
}

type Each = (count: number, work: () => Promise<unknown>) => Promise<number>;
type Database = Parameters<typeof createLimitCollection>[0];

/** What each of many that wait adds to a page that is written. */
async function measureWakes(
  database: Database,
  uri: string,
  sessions: Sessions,
  each: Each,
): Promise<number> {
  // More connections than a replica has, since all of them wait at once.
  const client = await new MongoClient(uri, { maxPoolSize: followersWoken + 10 }).connect();
  const relays = createRelays(database, sessions, { runId: 'bench', stalenessMaxMs: 15_000 });
  const at = (count: number) => new Timestamp({ t: 1, i: count });
  const pages = 50;
  let written = 1;
  const write = () =>
    each(pages, () =>
      atRate(pages, 10, () => {
        const page = { from: at(written), upTo: at(++written) };
        return relays.write({ ...page, seen: page.upTo, told: [['ask']] });
      }),
    );
  let goesOn = true;
  const follow = async () => {
    const own = createRelays(client.db(), sessions, { runId: 'bench', stalenessMaxMs: 15_000 });
    let after = at(written);
    while (goesOn) after = (await own.read(after, () => pause(1_000))).at(-1)?.upTo ?? after;
    own.close();
  };
  try {
    await relays.beginningFor(at(1));
    const alone = await write();
    const followers = Array.from({ length: followersWoken }, follow);
    await pause(2_000);
    const watched = await write();
    goesOn = false;
    await Promise.all(followers);
    return (watched - alone) / followersWoken;
  } finally {
    await client.close();
  }
}

async function measureLeases(database: Database, sessions: Sessions, each: Each) {
  const count = 8_000;
  const start = Date.now();
  const leased = async (name: string, atOnce: number, isLikelyFirst: boolean) => {
    const units = createLimitCollection(database, sessions, 60_000);
    return each(count, () =>
      several(count / atOnce, 4, (call) =>
        Promise.all(
          Array.from({ length: atOnce }, (_, at) =>
            units.leaseUnits({
              spender: `${name} ${call * atOnce + at}`,
              ...{ windowStart: start, windowEnd: start + 60_000, limit: 300, units: 7, unitsMin: 1 },
              isLikelyFirst,
            }),
          ),
        ),
      ),
    );
  };
  const leaseBegun = await leased('few', leasesOfCall, true);
  const lease = await leased('few', leasesOfCall, false);
  const leaseRefused = await leased('few', leasesOfCall, true);
  await leased('many', leasesOfLargeCall, true);
  const leaseOfMany = await leased('many', leasesOfLargeCall, false);
  const windowEnd = await each(count, () =>
    database.collection<{ _id: string }>('limits').deleteMany({ _id: /^few/ }),
  );
  return { lease, leaseOfMany, leaseBegun, leaseRefused, windowEnd };
}

async function atRate(count: number, perSecond: number, work: () => Promise<unknown>): Promise<void> {
  const began = performance.now();
  const all: Promise<unknown>[] = [];
  for (let at = 0; at < count; at++) {
    await pause((at * 1_000) / perSecond - (performance.now() - began));
    all.push(work());
  }
  await Promise.all(all);
}

async function ran(pid: number, work: () => Promise<unknown>): Promise<{ us: number; ms: number }> {
  const [before, began] = [readProcessorTime(pid), performance.now()];
  await work();
  return { us: since(before, readProcessorTime(pid)).ranNs / 1_000, ms: performance.now() - began };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : resolve()));
}
