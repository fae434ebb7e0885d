import { Failure } from '../failure.ts';
import type { Origin } from '../journal/journal.ts';
import type { KeyId, KeyRecord } from '../keys/key.ts';
import { type Commit, nullIfBad, type Settlement, type Store, StoreUnavailable } from '../store/store.ts';
import { yieldToOthers } from '../time/yield-to-others.ts';
import { type createKeyChange, isOwnerActive, keyDraft, type Visible } from './key-change.ts';

/** How keys are to end, all in the same way. */
export type Ending = 'revoked' | 'disabled';

export interface EndedMany extends Settlement {
  /** Keys that were changed: those that had ended so already were not. */
  readonly changed: number;
}

/**
 * Revokes or disables keys, each with its entry in the journal, and then waits once for all of them. Those that are gone,
 * not visible or have ended so already are left. Rejects with UNAVAILABLE, which says how many were changed by then,
 * where the store goes away in the middle: to be asked again.
 */
export type EndMany = (
  ids: readonly KeyId[],
  ending: Ending,
  by: {
    readonly visible: Visible;
    readonly origin: Origin;
    /** Which keys are still to be ended, as they are when it comes to them; all unless it is given. */
    readonly only?: (key: KeyRecord) => boolean;
  },
) => Promise<EndedMany>;

export interface EndManyDependencies {
  readonly store: Pick<Store, 'getKey' | 'replaceKeys' | 'getOwner' | 'settle'>;
  readonly changeKey: ReturnType<typeof createKeyChange>;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly retentionMs: number;
}

/** Disables keys that nobody used, those of which it is still so, and says how many. */
export type DisableIdle = (
  ids: readonly KeyId[],
  isStillIdle: (key: KeyRecord) => boolean,
) => Promise<number>;

const idleOrigin: Origin = { actor: 'postern', action: 'DisableKey', address: null, requestId: null };

export function createDisableIdle(endMany: EndMany): DisableIdle {
  return async (ids, isStillIdle) => {
    const by = { visible: () => true, origin: idleOrigin, only: isStillIdle };
    return (await endMany(ids, 'disabled', by)).changed;
  };
}

/** Keys that are changed together: some milliseconds of a thread, or of a server. */
const batchSize = 50;

export function createEndMany({ store, changeKey, now, retentionMs }: EndManyDependencies): EndMany {
  return async (ids, ending, { visible, origin, only = () => true }) => {
    let [changed, last]: [number, Commit | null] = [0, null];
    const owners = new Map<string | null, boolean>();
    try {
      for (let start = 0; start < ids.length; start += batchSize) {
        const made = await endAll(ids.slice(start, start + batchSize));
        changed += made;
        if (made > 0) last = { at: now() };
        await yieldToOthers();
      }
      return { changed, ...(await store.settle(last ?? { at: now() })) };
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || changed === 0) throw error;
      const message = `The store went away when ${changed} of ${ids.length} keys were ${ending}; ask again, and they are left as they are.`;
      throw new Failure('UNAVAILABLE', 'INTERRUPTED', message);
    }

    async function endAll(batch: readonly KeyId[]): Promise<number> {
      const records = (await Promise.all(batch.map((id) => store.getKey(id).catch(nullIfBad)))).filter(
        (key) => key !== null,
      );
      const at = now();
      const wanted: { before: KeyRecord; record: KeyRecord }[] = [];
      for (const before of records) {
        const next = visible(before) && only(before) ? ended(before, ending, at) : null;
        if (next !== null)
          wanted.push({ before, record: { ...next, updatedAt: at, version: before.version + 1 } });
      }
      for (const { before } of wanted) {
        if (!owners.has(before.owner)) owners.set(before.owner, await isOwnerActive(store, before, at));
      }
      const changes = wanted.map(({ before, record }) => {
        const told = { at, isOwnerActive: owners.get(before.owner) ?? true };
        return { record, ifVersion: before.version, draft: keyDraft(origin, before, record, told) };
      });
      const made = await store.replaceKeys(changes, retentionMs);
      let count = made.filter(Boolean).length;
      // Others have changed these meanwhile.
      for (const [place, { record }] of wanted.entries())
        if (!made[place] && (await endOne(record.id))) count++;
      return count;
    }

    async function endOne(id: KeyId): Promise<boolean> {
      try {
        const { commit } = await changeKey(id, visible, origin, (key, at) =>
          only(key) ? ended(key, ending, at) : null,
        );
        return commit !== null;
      } catch (error) {
        if (error instanceof Failure && error.code === 'NOT_FOUND') return false;
        throw error;
      }
    }
  };
}

/** The key as it is then; null where it has ended so already, or a revoked one is to be disabled. */
export function ended(key: KeyRecord, ending: Ending, at: number): KeyRecord | null {
  if (key.revokedAt !== null) return null;
  if (ending === 'revoked') return { ...key, revokedAt: at };
  return key.disabledAt === null ? { ...key, disabledAt: at } : null;
}
