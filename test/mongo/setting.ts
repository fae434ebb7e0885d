import { MongoClient } from 'mongodb';
import { onTestFinished } from 'vitest';
import type { KeyRecord } from '../../src/keys/key.ts';
import type { Digest } from '../../src/keys/secret.ts';
import type { MongoStoreDependencies } from '../../src/mongo/connection.ts';
import { createMongoStore } from '../../src/mongo/store.ts';
import type { RestorableStore } from '../../src/restore/restore-mark.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { freshDatabase } from '../real/mongod.ts';
import { until } from '../real/until.ts';

export interface Setting {
  /** The address with the database of this test. */
  readonly uri: string;
  /** A client of its own, to look at and tamper with what the stores have made. */
  readonly client: MongoClient;
  /** Another store on the same database, not opened yet. */
  store(dependencies?: Partial<MongoStoreDependencies>): RestorableStore;
}

let replicas = 0;
/** Databases that were emptied and have their indexes still, which take longer to make than most tests. */
const emptied = new Map<string, ReturnType<typeof freshDatabase>[]>();

/**
 * An empty database; when the test has finished, its stores are closed and it is emptied, for another test of the
 * file. With `fresh` it is new, and dropped: for tests that look at indexes, change more than
 * documents, or break the server.
 */
export async function createSetting(server: string, { fresh = false } = {}): Promise<Setting> {
  const database = (fresh ? undefined : emptied.get(server)?.pop()) ?? freshDatabase(server);
  const { name, uri } = database;
  const client = await new MongoClient(uri, { readConcernLevel: 'majority' }).connect();
  const stores: Store[] = [];
  onTestFinished(async () => {
    await Promise.all(stores.map((store) => store.close()));
    const collections = await client.db(name).collections();
    if (fresh || collections.some(({ collectionName }) => collectionName.startsWith('system.'))) {
      await client.db(name).dropDatabase();
    } else {
      await Promise.all(collections.map((collection) => collection.deleteMany()));
      emptied.set(server, [...(emptied.get(server) ?? []), database]);
    }
    await client.close();
  });
  return {
    uri,
    client,
    store(dependencies = {}) {
      replicas++;
      const store = createMongoStore({
        uri,
        replicaId: `replica-${replicas}`,
        stalenessMaxMs: 15_000,
        settleMaxMs: 30_000,
        now: Date.now,
        monotonic: () => performance.now(),
        foldEveryMs: 10,
        ...dependencies,
        // A machine that tests may be slow; that calls end in time has tests of its own.
        timeouts: { findKeyMs: 5_000, operationMs: 30_000, connectMs: 10_000, ...dependencies.timeouts },
      });
      stores.push(store);
      return store;
    },
  };
}

/** What a subscriber was told. */
export interface Told {
  readonly changes: { readonly id: string; readonly digest: string | null }[];
  gaps: number;
  /** How often it was told of this key. */
  times(id: string): number;
}

/** Subscribes to the store's feed, which must be done before it is opened. */
export function listen(store: Store): Told {
  const changes: Told['changes'] = [];
  const told: Told = { changes, gaps: 0, times: (id) => changes.filter((change) => change.id === id).length };
  store.feed.subscribe({
    onChange: (id, digest) => void changes.push({ id, digest }),
    onRoleChange() {},
    onOwnerChange() {},
    onGap() {
      told.gaps++;
    },
  });
  return told;
}

/** What findKey answers once it can: on a busy machine the lease may end again before it is asked, or its time be over. */
export function foundOnce(store: Store, digests: readonly Digest[]): Promise<KeyRecord> {
  return until('the key is found', async () => {
    try {
      return (await store.findKey(digests, 'check')) ?? false;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return false;
    }
  });
}
