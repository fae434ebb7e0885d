import { notFound } from '../failure.ts';
import { changeDraft, type Origin } from '../journal/journal.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import { mayNarrowOwner, narrowsOwner, type OwnerPatch, patchedOwner } from '../keys/owner-patch.ts';
import type { Commit, Settlement, Store } from '../store/store.ts';
import { contention, requireEtag, triesMax } from './key-change.ts';
import { ownerJson } from './owner-json.ts';

/** What an owner is to be. */
export type NewOwner = Omit<OwnerRecord, 'createdAt' | 'updatedAt' | 'version'>;

export interface PutOwner extends Settlement {
  readonly owner: OwnerRecord;
}

export interface UpdatedOwner {
  readonly owner: OwnerRecord;
  /** Null when the change took nothing away. */
  readonly settlement: Settlement | null;
}

/** An owner that somebody wants changed. */
export interface OwnerOf {
  readonly id: string;
  readonly origin: Origin;
}

/** Every change of an owner, written with its entry in the journal. ABORTED where others keep changing it. */
export interface OwnerChanges {
  /** Replaces what the owner was, or makes it. */
  putOwner(wanted: NewOwner, origin: Origin): Promise<PutOwner>;
  /** NOT_FOUND where nobody has put it, ABORTED when an etag is given that is not the owner's. */
  updateOwner(of: OwnerOf, patch: OwnerPatch, ifEtag: string | null): Promise<UpdatedOwner>;
}

export interface OwnerChangesDependencies {
  readonly store: Pick<Store, 'getOwner' | 'putOwner' | 'settle'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

interface Changed {
  readonly before: OwnerRecord | null;
  readonly owner: OwnerRecord;
  /** Null where there was nothing to write. */
  readonly commit: Commit | null;
}

export function createOwnerChanges({ store, now }: OwnerChangesDependencies): OwnerChanges {
  /** `next` makes the owner as it is to be; null when it is so already. It may refuse. */
  async function change(
    { id, origin }: OwnerOf,
    next: (current: OwnerRecord | null, at: number) => OwnerRecord | null,
  ): Promise<Changed> {
    for (let tries = 0; tries < triesMax; tries++) {
      const before = await store.getOwner(id);
      const at = now();
      const wanted = next(before, at);
      if (wanted === null) {
        if (before === null) throw notFound('owner');
        return { before, owner: before, commit: null };
      }
      const version = before?.version ?? 0;
      const owner = { ...wanted, updatedAt: at, version: version + 1 };
      const draft = changeDraft(origin, {
        ...{ target: id, owner: id },
        before: before === null ? null : ownerJson(before, at),
        after: ownerJson(owner, at),
      });
      const commit = await store.putOwner(owner, version, draft);
      if (commit !== null) return { before, owner, commit };
    }
    throw contention('owner');
  }

  return {
    async putOwner(wanted, origin) {
      const { owner, commit } = await change({ id: wanted.id, origin }, (current, at) => ({
        ...wanted,
        ...{ createdAt: current?.createdAt ?? at, updatedAt: at, version: 0 },
      }));
      return { owner, ...(await store.settle(commit ?? { at: now() })) };
    },
    async updateOwner(of, patch, ifEtag) {
      const { before, owner, commit } = await change(of, (current) => {
        if (current === null) throw notFound('owner');
        requireEtag(current, ifEtag, 'owner');
        return patchedOwner(current, patch);
      });
      // Nothing to write may be the retry of a change whose answer was lost.
      const isNarrower = commit === null ? mayNarrowOwner(patch) : narrowsOwner(before ?? owner, owner);
      return { owner, settlement: isNarrower ? await store.settle(commit ?? { at: now() }) : null };
    },
  };
}
