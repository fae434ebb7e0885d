/**
 * Room `sqlite/`: The store on node:sqlite. Here: records, migrations, backups. Not here: anything that
 * another store would need too.
 */

import type { KeyId } from '../keys/key.ts';
import { type RestorableStore, RestoredStore } from '../restore/restore-mark.ts';
import type { FeedSubscriber } from '../store/feed/feed.ts';
import { createLeaseBatches } from '../store/lease-batches.ts';
import type { IdentityKeyStore } from '../store/records/identity-keys.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { StoreTrouble } from '../store/trouble.ts';
import type { RequestCapOptions } from '../store/usage/request-cap.ts';
import { listenForBackups } from './backup/backup-socket.ts';
import { getMark, putMark } from './backup/mark.ts';
import { openDatabase } from './database.ts';
import { diagnoseFile } from './diagnosis.ts';
import { createDisk } from './disk.ts';
import { sqliteError } from './errors.ts';
import { watchFile } from './file-watch.ts';
import type { Migration } from './migration.ts';
import { createPlace, type Place } from './place.ts';
import { createPurge } from './purge.ts';
import { createChanges } from './records/changes.ts';
import type { IdentityKeyTable } from './records/identity-keys.ts';
import { createTables, type Tables } from './tables.ts';
import { createTroubles, lostFinding } from './trouble.ts';
import { useCalls } from './use-calls.ts';

export interface SqliteStoreDependencies extends RequestCapOptions {
  /** A file, made where it is missing, or `:memory:`. */
  readonly path: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** How long entries of the journal are kept; 400 days unless it is given. */
  readonly journalRetentionMs?: number;
  /** What the tables are made by; those of this release unless others are given. */
  readonly migrations?: readonly Migration[];
  /** Whether a restored store is opened all the same, to make up for what it lacks. Default false. */
  readonly opensRestored?: boolean;
  /** A stored record that cannot be read was left out of a list. */
  readonly onBadRecord?: (id: string, error: Error) => void;
  /** Something that the store does by itself failed; it will be tried again. */
  readonly onBackgroundError?: (error: unknown) => void;
  /** Something is wrong with the file; told once a minute. */
  readonly onTrouble?: (trouble: StoreTrouble, error: StoreUnavailable) => void;
  /** The file was deleted or replaced; later, that it is back in its place. */
  readonly onLost?: (isLost: boolean) => void;
  /** How long memory still answers once the file is lost. Default 15 000. */
  readonly stalenessMaxMs?: number;
  /** How often the file is looked for. Default 500. */
  readonly lookEveryMs?: number;
}

const purgeEveryMs = 60_000;

/** Transactions of leases that wait for the disk, which is waited for once for all of them. */
const leaseBatchesMax = 16;

interface Opened extends Tables {
  readonly timer: NodeJS.Timeout;
  readonly place: Place;
  /** Null in memory, where nothing is to be kept. */
  readonly backups: ReturnType<typeof listenForBackups> | null;
}

/**
 * The store on a SQLite file, for one process: a second one is refused when it opens. Durable at once
 * (write-ahead log, fsync with each commit but those of use and of duties), and memory may always answer, since nobody else can
 * write.
 * `open` rejects with `RestoredStore` where the file was restored.
 */
export function createSqliteStore(dependencies: SqliteStoreDependencies): RestorableStore {
  const { path, now, onBadRecord, onBackgroundError, migrations, opensRestored = false } = dependencies;
  const { stalenessMaxMs = 15_000, lookEveryMs = 500, onLost, onTrouble } = dependencies;
  const troubles = createTroubles(path, now, (...trouble) => onTrouble?.(...trouble));
  let opened: Opened | null = null;
  let subscriber: FeedSubscriber | null = null;

  async function withTables<T>(work: (tables: Tables) => T | Promise<T>): Promise<T> {
    const tables = opened;
    if (tables === null) throw new StoreUnavailable('the store is not open');
    if (tables.place.isLost()) throw lost();
    try {
      return await work(tables);
    } catch (error) {
      // Work that lets others have the thread may find the database closed.
      const told = opened === tables ? sqliteError(error) : new StoreUnavailable('the store was closed');
      troubles.note(told);
      throw told;
    }
  }

  const unlost = () => (opened?.place.isLost() ? null : opened);
  const onKeyRemoved = (id: KeyId) => subscriber?.onChange(id, null);

  /** Throws where the file is not in its place at this very moment. */
  function requireFile(): void {
    if (opened?.place.look() === false) throw lost();
  }

  const purge = createPurge({ ...dependencies, tables: unlost, onKeyRemoved });

  const leaseBatched = createLeaseBatches(
    {
      leaseAll: (requests) =>
        withTables(async ({ limits, disk }) => {
          const leases = disk.write(() => requests.map(limits.lease));
          // Units that are spent before their lease is on the disk would be given out again after a power cut.
          await disk.durable();
          return leases;
        }),
    },
    { underWayMax: leaseBatchesMax },
  );

  return {
    kind: 'sqlite',
    ...{ insertsAtOnce: 100, digestsAtOnce: 200 },
    feed: {
      subscribe(given) {
        subscriber = given;
      },
      ...{ isFresh: () => opened?.place.isTrusted() ?? false, lagMs: () => opened?.place.lostForMs() ?? 0 },
      readPage: (before, size) => withTables(({ readKeyPage }) => readKeyPage(before, size)),
    },

    async open() {
      if (opened !== null) return;
      const database = openDatabase(path, migrations);
      const mark = getMark(database);
      if (mark !== null && !opensRestored) {
        database.close();
        throw new RestoredStore(mark);
      }
      const disk = await createDisk(database, path);
      const tables = createTables(database, disk, {
        ...dependencies,
        onBadRecord: (id, error) => onBadRecord?.(id, error),
      });
      const backups =
        path === ':memory:' ? null : listenForBackups(database, path, (error) => onBackgroundError?.(error));
      const place = createPlace(watchFile(path), { stalenessMaxMs, lookEveryMs, onLost });
      opened = { ...tables, timer: setInterval(purge, purgeEveryMs).unref(), backups, place };
      await purge();
    },
    async close() {
      if (opened === null) return;
      const { timer, backups, place, disk, database } = opened;
      opened = null;
      clearInterval(timer);
      place.stop();
      await backups?.close();
      await disk.close();
      database.close();
    },

    getRestoreMark: () => withTables(({ database }) => getMark(database)),
    putRestoreMark: (mark) => withTables(({ database }) => putMark(database, mark)),
    ...createChanges({ now, withTables, requireFile, subscriber: () => subscriber }),
    findKey: (digests, asker) => withTables(({ keys }) => keys.find(digests, asker)),
    findDigests: (digests) => withTables(({ keys }) => keys.findDigests(digests)),
    countOwned: (asked, max) => withTables(({ keys }) => keys.countOwned(asked, max)),
    findExternalIds: (asked) => withTables(({ keys }) => keys.findExternalIds(asked)),
    getKey: (id) => withTables(({ keys }) => keys.get(id)),
    getKeyByRequest: (requestKey) => withTables(({ keys }) => keys.getByRequest(requestKey)),
    listKeys: (filter, page) => withTables(({ keys }) => keys.list(filter, page)),
    countListed: (filter, max) => withTables(({ keys }) => keys.countListed(filter, max)),
    listKeysInOrder: (filter, order, page) => withTables(({ keys }) => keys.listInOrder(filter, order, page)),
    countDigests: () => withTables(({ keys }) => keys.count()),
    countKeys: (at) => withTables(({ keys }) => keys.countStates(at)),
    getOwner: (id) => withTables(({ owners }) => owners.get(id)),
    getOwners: (ids) => withTables(({ owners }) => ids.flatMap((id) => owners.get(id) ?? [])),
    listOwners: (page) => withTables(({ owners }) => owners.list(page)),
    getRole: (id) => withTables(({ roles }) => roles.get(id)),
    listRoles: (page) => withTables(({ roles }) => roles.list(page)),
    leaseUnits: (request) => leaseBatched(request),
    returnUnits: (returns) =>
      // What a power cut undoes of it is spent.
      withTables(({ limits, disk }) => disk.write(() => returns.forEach(limits.giveBack))),
    chargeUnits: (charges, once) =>
      withTables(async ({ limits, disk }) => {
        const counts = disk.write(() => limits.charge(charges, once));
        await disk.durable();
        return counts;
      }),
    countUnits: (windows) => withTables(({ limits }) => windows.map(limits.count)),
    ...useCalls(withTables, now),
    listJournal: (filter, page) => withTables(({ journal }) => journal.list(filter, page)),
    noteAddresses: (uses) => withTables(({ addresses }) => addresses.note(uses)),
    ...identityKeyCalls((work) => withTables(({ identityKeys }) => work(identityKeys))),
    ...sideCalls(withTables, now),
    async diagnose() {
      if (opened?.place.isLost()) return [lostFinding(path)];
      const found = await withTables(({ database }) => diagnoseFile(database, path));
      return [...found, ...troubles.findings()];
    },
    countReplicas: () => withTables(() => 1),
    listReplicas: () => withTables(() => null),
    settle: () => withTables(() => ({ effectiveAt: now(), unconfirmedReplicas: [] })),
  };
}

function lost(): StoreUnavailable {
  const message = 'the database file was deleted or replaced under the service: start it again';
  return new StoreUnavailable(message, { trouble: 'lost' });
}

/** The calls about the keys of identity tokens. */
function identityKeyCalls(
  withKeys: <Result>(work: (keys: IdentityKeyTable) => Result) => Promise<Result>,
): IdentityKeyStore {
  return {
    listIdentityKeys: () => withKeys((keys) => keys.list()),
    addIdentityKey: (record) => withKeys((keys) => keys.add(record)),
    removeIdentityKeysBefore: (generation) => withKeys((keys) => keys.removeBefore(generation)),
  };
}

/** The calls about portal sessions, and about what is to be noticed, by whoever has the duty. */
function sideCalls(
  withTables: <Result>(work: (tables: Tables) => Result) => Promise<Result>,
  now: () => number,
): Pick<RestorableStore, 'getPortalSession' | 'claimDuty' | 'recordDuty' | 'listExpiring' | 'listIdle'> {
  return {
    getPortalSession: (id) => withTables(({ portalSessions }) => portalSessions.get(id)),
    listExpiring: (range, size) => withTables(({ keys }) => keys.listExpiring(range, size)),
    listIdle: (range, size) => withTables(({ idle }) => idle(range, size)),
    claimDuty: (duty, holder, forMs) =>
      withTables(({ duties }) => duties.claim({ duty, holder, forMs }, now())),
    recordDuty: (duty, holder, progress) =>
      withTables(({ duties }) => duties.record({ duty, holder, progress }, now())),
  };
}
