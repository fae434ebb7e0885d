import { isDeepStrictEqual } from 'node:util';
import { Failure, notFound } from '../failure.ts';
import { changeDraft, type Origin } from '../journal/journal.ts';
import { etagOf } from '../keys/key.ts';
import type { RoleRecord } from '../keys/role.ts';
import type { Settlement, Store } from '../store/store.ts';
import { contention, triesMax } from './key-change.ts';
import { roleJson } from './role-json.ts';

/** What a role is to be. */
export type NewRole = Pick<RoleRecord, 'id' | 'description' | 'permissions'>;

export interface PutRole extends Settlement {
  readonly role: RoleRecord;
}

/** Every change of a role, written with its entry in the journal. ABORTED where others keep changing it. */
export interface RoleChanges {
  /**
   * Replaces what the role was, or makes it; what is so already stays. ABORTED when an etag is given that is not the
   * role's, or there is no such role.
   */
  putRole(wanted: NewRole, ifEtag: string | null, origin: Origin): Promise<PutRole>;
  /** NOT_FOUND where there is none, ABORTED as in `putRole`. */
  deleteRole(id: string, ifEtag: string | null, origin: Origin): Promise<PutRole>;
}

export interface RoleChangesDependencies {
  readonly store: Pick<Store, 'getRole' | 'putRole' | 'deleteRole' | 'settle'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export function createRoleChanges({ store, now }: RoleChangesDependencies): RoleChanges {
  return {
    async putRole(wanted, ifEtag, origin) {
      for (let tries = 0; tries < triesMax; tries++) {
        const before = await store.getRole(wanted.id);
        requireRoleEtag(before, ifEtag);
        const at = now();
        // A retry of what was made changes nothing.
        if (before !== null && isDeepStrictEqual({ ...before, ...wanted }, before))
          return { role: before, ...(await store.settle({ at })) };
        const version = before?.version ?? 0;
        const createdAt = before?.createdAt ?? at;
        // Begun at the time: a role that is made again is no version of the one that was deleted.
        const role: RoleRecord = {
          ...wanted,
          createdAt,
          updatedAt: at,
          version: before === null ? at : version + 1,
        };
        const commit = await store.putRole(role, version, draftOf(origin, before, role));
        if (commit !== null) return { role, ...(await store.settle(commit)) };
      }
      throw contention('role');
    },
    async deleteRole(id, ifEtag, origin) {
      for (let tries = 0; tries < triesMax; tries++) {
        const before = await store.getRole(id);
        if (before === null) throw notFound('role');
        requireRoleEtag(before, ifEtag);
        const commit = await store.deleteRole(id, before.version, draftOf(origin, before, null));
        if (commit !== null) return { role: before, ...(await store.settle(commit)) };
      }
      throw contention('role');
    },
  };
}

function draftOf(origin: Origin, before: RoleRecord | null, after: RoleRecord | null) {
  return changeDraft(origin, {
    ...{ target: (after ?? before)?.id ?? null, owner: null },
    before: before === null ? null : roleJson(before),
    after: after === null ? null : roleJson(after),
  });
}

function requireRoleEtag(role: RoleRecord | null, etag: string | null): void {
  if (etag === null || (role !== null && etag === etagOf(role))) return;
  const message = 'The role has changed since: read it again, and then change it.';
  throw new Failure('ABORTED', 'ETAG_MISMATCH', message);
}
