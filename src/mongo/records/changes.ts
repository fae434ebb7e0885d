import type { Store } from '../../store/store.ts';
import type { ChangeQueue } from '../feed/change-queue.ts';
import type { ToldOnce } from '../feed/told-once.ts';
import type { KeyDigests } from './keys/digests.ts';
import type { createFirstKeyInsert } from './keys/first-key.ts';
import type { KeyChanges } from './keys/key-changes.ts';
import { toDocument } from './keys/records.ts';
import type { OwnerCollection } from './owners.ts';
import type { PortalCollection } from './portal-sessions.ts';
import type { RoleCollection } from './roles.ts';

/** What changes keys, owners and the journal. */
export type Changes = Pick<
  Store,
  | 'appendJournal'
  | 'insertFirstKey'
  | 'insertKey'
  | 'insertKeys'
  | 'putOwner'
  | 'putRole'
  | 'deleteRole'
  | 'putPortalSession'
  | 'replaceDigests'
  | 'replaceKey'
  | 'replaceKeys'
  | 'rotateKey'
>;

export interface ChangeDependencies {
  readonly keys: KeyChanges;
  readonly digests: KeyDigests;
  readonly insertFirst: ReturnType<typeof createFirstKeyInsert>;
  readonly owners: OwnerCollection;
  readonly roles: RoleCollection;
  readonly portalSessions: PortalCollection;
  readonly queue: ChangeQueue;
  readonly told: Pick<ToldOnce, 'own' | 'made' | 'makes'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** The changes of the store's contract, of which the subscriber has heard when they resolve. */
export function createChanges(dependencies: ChangeDependencies): Changes {
  const { keys, digests, insertFirst, owners, roles, portalSessions, queue, told, now } = dependencies;
  const subscriber = told.own;

  return {
    async insertKey(record, retentionMs, draft, isUnheard) {
      if (isUnheard) told.makes(record.id, record.digest);
      await keys.insert(record, retentionMs, draft);
      if (!isUnheard) told.made(record.id, record.digest);
      return { at: now() };
    },
    async insertFirstKey(record, retentionMs, draft) {
      const isFirst = await insertFirst(toDocument(record, retentionMs), draft);
      if (isFirst) told.made(record.id, record.digest);
      return isFirst;
    },
    async insertKeys(records, retentionMs, draft) {
      const taken = await keys.insertMany(records, retentionMs, draft);
      for (const [place, { id, digest }] of records.entries()) {
        if (!taken.has(place)) told.made(id, digest);
      }
      return [...taken].sort((a, b) => a - b);
    },
    async replaceKey(record, ifVersion, retentionMs, draft) {
      if (!(await keys.replace(record, ifVersion, retentionMs, draft))) return null;
      subscriber.onChange(record.id, record.digest);
      return { at: now() };
    },
    replaceKeys: (changes, retentionMs) =>
      Promise.all(
        changes.map(async ({ record, ifVersion, draft }) => {
          if (!(await keys.replace(record, ifVersion, retentionMs, draft))) return false;
          subscriber.onChange(record.id, record.digest);
          return true;
        }),
      ),
    async rotateKey(rotation, retentionMs, draft) {
      if (!(await keys.rotate(rotation, retentionMs, draft))) return null;
      for (const { id, digest } of [rotation.old, rotation.made]) subscriber.onChange(id, digest);
      return { at: now() };
    },
    async replaceDigests(changes) {
      for (const { id, to } of await digests.replace(changes)) subscriber.onChange(id, to);
    },
    async putOwner(record, ifVersion, draft) {
      if (!(await owners.put(record, ifVersion, draft))) return null;
      subscriber.onOwnerChange(record.id);
      return { at: now() };
    },
    async putRole(record, ifVersion, draft) {
      if (!(await roles.put(record, ifVersion, draft))) return null;
      subscriber.onRoleChange(record.id);
      return { at: now() };
    },
    async deleteRole(id, ifVersion, draft) {
      if (!(await roles.delete(id, ifVersion, draft))) return null;
      subscriber.onRoleChange(id);
      return { at: now() };
    },
    putPortalSession: portalSessions.put,
    async appendJournal(drafts) {
      if (drafts.length === 0) return;
      await queue({ drafts, isDue: async () => true, apply: async () => true });
    },
  };
}
