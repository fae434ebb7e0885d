/**
 * Room `store/`: The store's contract. Here: what every store must do, in sentences that one suite holds
 * against each, and what it tells of itself. Not here: any database.
 */

import type { JournalDraft } from '../journal/journal.ts';
import type { JournalStore } from '../journal/journal-store.ts';
import type { KeyId, KeyRecord } from '../keys/key.ts';
import type { KeyOrder, KeyPlace } from '../keys/key-order.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import type { RoleRecord } from '../keys/role.ts';
import type { Digest } from '../keys/secret.ts';
import type { Finding } from './diagnosis/finding.ts';
import type { KeyCounts, ReplicaLag } from './diagnosis/standing.ts';
import type { Feed } from './feed/feed.ts';
import type { IdentityKeyStore } from './records/identity-keys.ts';
import type { DigestChange, KeyFilter, OwnedExternalId, OwnedKeys } from './records/key-filter.ts';
import type { PortalSessionStore } from './records/portal-sessions.ts';
import type { StoreTrouble } from './trouble.ts';
import type { UnitStore } from './units.ts';
import type { RequestStore } from './usage/request-log.ts';
import type { UsageStore } from './usage/usage-store.ts';

/**
 * The store's contract. `test/store-contract.ts` holds every sentence here against each implementation.
 *
 * Every method may reject with {@link StoreUnavailable}: the store could not be asked in time, and nothing
 * is known of the outcome of a change. Reads see every change whose promise has resolved, on any replica.
 * A record that cannot be read spoils itself alone: getting or finding it rejects with {@link BadRecord},
 * and lists leave it out.
 */
export interface Store
  extends JournalStore,
    UnitStore,
    IdentityKeyStore,
    PortalSessionStore,
    RequestStore,
    UsageStore {
  /** For logs and metrics: `sqlite` or `mongodb`. */
  readonly kind: string;
  /** Records that {@link Store.insertKeys} takes without holding up the thread for more than some milliseconds. */
  readonly insertsAtOnce: number;
  /** Digests that {@link Store.findDigests} takes so. */
  readonly digestsAtOnce: number;
  /** What changes elsewhere, and how far memory may be trusted. */
  readonly feed: Feed;

  /**
   * Connects, makes tables or indexes where they are missing, and starts the feed. Rejects with
   * {@link StoreUnavailable} when it is worth trying again, with another error when it is not.
   */
  open(): Promise<void>;
  /** Lets go of everything; calls after it reject. */
  close(): Promise<void>;

  /** The record whose digest is one of these, which are unique; for a Check its last use may be an hour old. */
  findKey(digests: readonly Digest[], asker?: Asker): Promise<KeyRecord | null>;
  /** One that `mayLag` may lack what others changed last: for whoever changes it by its version, and asks again where not. */
  getKey(id: KeyId, mayLag?: true): Promise<KeyRecord | null>;
  /** Those of the digests that keys have. */
  findDigests(digests: readonly Digest[]): Promise<ReadonlySet<Digest>>;
  /** How many such keys there are, up to `max`. */
  countOwned(asked: OwnedKeys, max: number): Promise<number>;
  /** The places of those that a key which is not revoked has; at most {@link insertsMax}. */
  findExternalIds(asked: readonly OwnedExternalId[]): Promise<ReadonlySet<number>>;
  /** The key that was made by the request of that name; one that `mayLag` may miss what others have just made. */
  getKeyByRequest(requestKey: string, mayLag?: true): Promise<KeyRecord | null>;
  /** Newest first, at most `size`, older than `before` when it is given. */
  listKeys(
    filter: KeyFilter,
    page: { readonly before: KeyId | null; readonly size: number },
  ): Promise<KeyRecord[]>;
  /** In that order, at most `size`, behind the place when it is given. */
  listKeysInOrder(
    filter: KeyFilter,
    order: KeyOrder,
    page: { readonly after: KeyPlace | null; readonly size: number },
  ): Promise<KeyRecord[]>;

  /** How many keys the filter keeps, up to `max`. */
  countListed(filter: KeyFilter, max: number): Promise<number>;

  /**
   * Durable when it resolves. Rejects with {@link DuplicateKey} if the id, the digest or the request is taken, with
   * {@link ExternalIdTaken} if a key of the same owner that is not revoked has the external id, and then keeps nothing. Like every change here: where a draft is given, it is written into the journal with the
   * change, or neither is. Of a key that `isUnheard`, since its secret was just made and nobody has it, no memory knows that there is none: subscribers need not hear of it, unless {@link Feed.readPage} gives memory all others.
   */
  insertKey(record: KeyRecord, retentionMs: number, draft?: JournalDraft, isUnheard?: true): Promise<Commit>;
  /**
   * Inserts only if this store never had a first key, however many replicas try at once; says whether it did.
   * After {@link StoreUnavailable} another call with the same record finishes what was begun.
   */
  insertFirstKey(record: KeyRecord, retentionMs: number, draft?: JournalDraft): Promise<boolean>;
  /**
   * Inserts those whose id, digest, request and external id are free, and answers which were not, by their places in `records`;
   * all others are there when it resolves. At most {@link insertsMax} at once. The draft is made of the number
   * that goes in; there is none for none.
   */
  insertKeys(
    records: readonly KeyRecord[],
    retentionMs: number,
    draft?: (inserted: number) => JournalDraft,
  ): Promise<readonly number[]>;
  /**
   * Writes `record` over the one with its id if that one's version is `ifVersion`; null, and no change, if
   * it is not. `lastUsedAt` and `digest` are left as the store has them. Rejects with {@link ExternalIdTaken} as
   * `insertKey` does. Durable when it resolves.
   */
  replaceKey(
    record: KeyRecord,
    ifVersion: number,
    retentionMs: number,
    draft?: JournalDraft,
  ): Promise<Commit | null>;
  /**
   * {@link Store.replaceKey} of each, by itself or all in one; says which were made. At most {@link insertsMax} at once.
   */
  replaceKeys(
    changes: readonly {
      readonly record: KeyRecord;
      readonly ifVersion: number;
      readonly draft: JournalDraft;
    }[],
    retentionMs: number,
  ): Promise<readonly boolean[]>;
  /**
   * {@link Store.replaceKey} of `old` and {@link Store.insertKey} of `made` in one: both or neither. Null, and no
   * change, where the version is another; rejects with {@link DuplicateKey} as `insertKey` does.
   */
  rotateKey(
    rotation: { readonly old: KeyRecord; readonly ifVersion: number; readonly made: KeyRecord },
    retentionMs: number,
    draft?: JournalDraft,
  ): Promise<Commit | null>;
  /**
   * Gives keys another digest of the same secret, where they still have the one named; not a change of the key,
   * whose version stays. What cannot be changed, since another key has the digest, is left. At most
   * {@link insertsMax} at once.
   */
  replaceDigests(changes: readonly DigestChange[]): Promise<void>;
  /** How many keys there are under each pepper, by its id, and under none, by the empty string. */
  countDigests(): Promise<ReadonlyMap<string, number>>;
  /** How many keys there are in each state, as it is judged at `now`, Unix milliseconds. */
  countKeys(now: number): Promise<KeyCounts>;
  getOwner(id: string, asker?: Asker): Promise<OwnerRecord | null>;
  /** Those of these owners, at most {@link insertsMax}, that somebody has put, in no order. */
  getOwners(ids: readonly string[]): Promise<OwnerRecord[]>;
  /** By id, at most `size`, after `after` when it is given. */
  listOwners(page: { readonly after: string | null; readonly size: number }): Promise<OwnerRecord[]>;
  /**
   * Writes the owner if its version is `ifVersion`, 0 for one that nobody has put; null, and no change, if it
   * is not. Durable when it resolves.
   */
  putOwner(record: OwnerRecord, ifVersion: number, draft?: JournalDraft): Promise<Commit | null>;
  getRole(id: string, asker?: Asker): Promise<RoleRecord | null>;
  /** By id, at most `size`, after `after` when it is given. */
  listRoles(page: { readonly after: string | null; readonly size: number }): Promise<RoleRecord[]>;
  /** As {@link Store.putOwner}. */
  putRole(record: RoleRecord, ifVersion: number, draft?: JournalDraft): Promise<Commit | null>;
  /** Removes the role if its version is `ifVersion`; null, and no change, if it is not. Durable when it resolves. */
  deleteRole(id: string, ifVersion: number, draft?: JournalDraft): Promise<Commit | null>;
  /**
   * Looks at the server or the file, and at the replicas that share it, and says what an operator should know. It may
   * write a heartbeat, and changes nothing else. What cannot be looked at is a finding where that is for lack of
   * rights, and left out where it is away.
   */
  diagnose(): Promise<readonly Finding[]>;
  /**
   * The replicas that may answer from memory, this one among them, to tell people; null where none does. Nothing is
   * decided by it.
   */
  countReplicas(): Promise<number | null>;
  /** The same, `replicasMax` of them at most; null where no register of them is kept. */
  listReplicas(): Promise<readonly ReplicaLag[] | null>;
  /** Waits, within bounds, until every replica judges by what was committed, and says from when that is so. */
  settle(commit: Commit): Promise<Settlement>;
}

/**
 * Records in one call of {@link Store.insertKeys}, changes in one of {@link Store.replaceDigests}, owners in one of
 * {@link Store.getOwners}, ids in one of {@link Store.findExternalIds}.
 */
export const insertsMax = 1_000;

/** Who waits for a read, where that is a Check: its deadline is short, and no read of others holds it up. */
export type Asker = 'check';

/** How long the use of keys is kept. */
export const usageRetentionMs = 90 * 86_400_000;

/** A change that is durable, named so that {@link Store.settle} can wait for it. */
export interface Commit {
  /** When it was committed, Unix milliseconds. */
  readonly at: number;
}

export interface Settlement {
  /** From this time (Unix milliseconds) every replica judges by the new record. */
  readonly effectiveAt: number;
  /** Replicas that had not confirmed when the wait ended; empty when `effectiveAt` is not in the future, or nobody can tell. */
  readonly unconfirmedReplicas: readonly string[];
}

/** The store could not be asked, or did not answer in time. Worth trying again. */
export class StoreUnavailable extends Error {
  /** What is wrong, where the store is there; null where it could not be reached. */
  readonly trouble: StoreTrouble | null;

  constructor(message: string, options: ErrorOptions & { readonly trouble?: StoreTrouble } = {}) {
    super(message, options);
    this.name = 'StoreUnavailable';
    this.trouble = options.trouble ?? null;
  }
}

/** The store is there, and what it has of a key or an owner cannot be read: nobody can tell whom it would allow. */
export class UnreadableRecord extends StoreUnavailable {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnreadableRecord';
  }
}

/** A key with this id, this digest or of this request exists. */
export class DuplicateKey extends Error {
  constructor() {
    super('a key with this id or digest, or of this request, exists');
    this.name = 'DuplicateKey';
  }
}

export type BadKind = 'a key' | 'an owner' | 'a role' | 'an event' | 'a portal session';

/** What is stored under the id of a key, an owner or a role cannot be read as one: it is broken, and never allows anyone. */
export class BadRecord extends Error {
  readonly id: string;

  /** `member` is the first at fault; no value is quoted. */
  constructor(id: string, member: string, kind: BadKind = 'a key') {
    super(`the stored record of ${id} is not ${kind}: ${member} is missing or of the wrong type`);
    this.name = 'BadRecord';
    this.id = id;
  }
}

/** For the `catch` of a read where a record that is broken is as one that is not there: it allows nobody. */
export function nullIfBad(error: unknown): null {
  if (error instanceof BadRecord) return null;
  throw error;
}
