import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { type FeedSubscriber, type Store, StoreUnavailable, usageRetentionMs } from '../store.ts';
import { openDatabase } from './database.ts';
import { sqliteError } from './errors.ts';
import { createKeyTable, type KeyTable } from './keys.ts';
import { createLimitTable, type LimitTable } from './limits.ts';
import { createOwnerTable, type OwnerTable } from './owners.ts';
import { createUsageTable, type UsageTable } from './usage.ts';

export interface SqliteStoreDependencies {
  /** A file, made where it is missing, or `:memory:`. */
  readonly path: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** A stored record that can not be read was left out of a list. */
  readonly onBadRecord?: (id: string, error: Error) => void;
  /** Something that the store does by itself failed; it will be tried again. */
  readonly onBackgroundError?: (error: unknown) => void;
}

const purgeEveryMs = 60_000;
/** Records that one purge removes before it lets others have the thread. */
const purgeBatchSize = 500;

interface Opened {
  readonly database: DatabaseSync;
  readonly keys: KeyTable;
  readonly owners: OwnerTable;
  readonly limits: LimitTable;
  readonly usage: UsageTable;
  readonly timer: NodeJS.Timeout;
}

/**
 * The store on a SQLite file, for one process: a second one is refused when it opens. Durable at once
 * (write-ahead log, fsync with each commit), and memory may always answer, since nobody else can write.
 */
export function createSqliteStore(dependencies: SqliteStoreDependencies): Store {
  const { path, now, onBadRecord, onBackgroundError } = dependencies;
  let opened: Opened | null = null;
  let subscriber: FeedSubscriber | null = null;

  async function withTables<T>(work: (tables: Opened) => T): Promise<T> {
    if (opened === null) throw new StoreUnavailable('the store is not open');
    try {
      return work(opened);
    } catch (error) {
      throw sqliteError(error);
    }
  }

  const withKeys = <T>(work: (keys: KeyTable) => T) => withTables(({ keys }) => work(keys));

  async function purge(): Promise<void> {
    try {
      opened?.limits.purge(now());
      opened?.usage.purge(now() - usageRetentionMs);
      for (let full = true; full && opened !== null; await setImmediate()) {
        const ids = opened.keys.purge(now(), purgeBatchSize);
        for (const id of ids) subscriber?.onChange(id, null);
        full = ids.length === purgeBatchSize;
      }
    } catch (error) {
      onBackgroundError?.(error);
    }
  }

  return {
    kind: 'sqlite',
    feed: {
      subscribe(given) {
        subscriber = given;
      },
      isFresh: () => opened !== null,
      lagMs: () => 0,
    },

    async open() {
      if (opened !== null) return;
      const database = openDatabase(path);
      const keys = createKeyTable(database, (id, error) => onBadRecord?.(id, error));
      const owners = createOwnerTable(database);
      const limits = createLimitTable(database);
      const usage = createUsageTable(database);
      opened = { database, keys, owners, limits, usage, timer: setInterval(purge, purgeEveryMs).unref() };
      await purge();
    },
    async close() {
      if (opened === null) return;
      clearInterval(opened.timer);
      opened.database.close();
      opened = null;
    },

    findKey: (digests) => withKeys((keys) => keys.find(digests)),
    getKey: (id) => withKeys((keys) => keys.get(id)),
    getKeyByRequest: (requestKey) => withKeys((keys) => keys.getByRequest(requestKey)),
    listKeys: (filter, page) => withKeys((keys) => keys.list(filter, page)),
    insertKey: (record, retentionMs) =>
      withKeys((keys) => {
        keys.insert(record, retentionMs);
        subscriber?.onChange(record.id, record.digest);
        return { at: now() };
      }),
    insertFirstKey: (record, retentionMs) =>
      withKeys((keys) => {
        const isFirst = keys.insertFirst(record, retentionMs);
        if (isFirst) subscriber?.onChange(record.id, record.digest);
        return isFirst;
      }),
    replaceKey: (record, ifVersion, retentionMs) =>
      withKeys((keys) => {
        if (!keys.replace(record, ifVersion, retentionMs)) return null;
        subscriber?.onChange(record.id, record.digest);
        return { at: now() };
      }),
    getOwner: (id) => withTables(({ owners }) => owners.get(id)),
    listOwners: (page) => withTables(({ owners }) => owners.list(page)),
    putOwner: (record, ifVersion) =>
      withTables(({ owners }) => {
        if (!owners.put(record, ifVersion)) return null;
        subscriber?.onOwnerChange(record.id);
        return { at: now() };
      }),
    leaseUnits: (request) => withTables(({ limits }) => limits.lease(request)),
    recordUsage: (tallies) => withTables(({ usage }) => usage.record(tallies)),
    getUsage: (key, since) => withTables(({ usage }) => usage.get(key, since)),
    settle: () => withKeys(() => ({ effectiveAt: now(), unconfirmedReplicas: [] })),
  };
}
