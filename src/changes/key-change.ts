import { Failure, notFound } from '../failure.ts';
import { changeDraft, type Origin } from '../journal/journal.ts';
import { isAdmin } from '../keys/admin-permissions.ts';
import { etagOf, type KeyId, type KeyRecord, keyState, shownKey } from '../keys/key.ts';
import { isActive } from '../keys/owner.ts';
import { ExternalIdTaken } from '../store/records/external-id.ts';
import { BadRecord, type Commit, DuplicateKey, type Store } from '../store/store.ts';
import { keyJson } from './key-json.ts';

/** Which keys the one who asks may know of; the others do not exist to them. */
export type Visible = (key: Pick<KeyRecord, 'owner' | 'permissions'>) => boolean;

/** The record as it is to be, by a change at that time; null when it is so already. May throw a refusal. */
export type Change = (current: KeyRecord, at: number) => KeyRecord | null;

/** May throw a refusal of a change that is about to be written. */
export type Guard = (before: KeyRecord, after: KeyRecord, at: number) => Promise<void>;

export interface ChangedKey {
  readonly key: KeyRecord;
  /** Whether the key's owner may have its keys used, where the change had to know. */
  readonly isOwnerActive?: boolean | undefined;
}

export interface Changed extends ChangedKey {
  readonly before: KeyRecord;
  /** Null where there was nothing to write. */
  readonly commit: Commit | null;
}

/** A change that other changes of the same thing keep overtaking is given up after so many tries. */
export const triesMax = 10;

export interface ChangeOptions {
  readonly guard?: Guard | undefined;
  /** What the journal says beside the key as it is after. */
  readonly remark?: Remark | undefined;
}

/** Members that stand beside those of a key in the journal. */
export type Remark = Readonly<Record<string, unknown>>;

export interface KeyChangeDependencies {
  readonly store: Pick<Store, 'getKey' | 'replaceKey' | 'getOwner'>;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly retentionMs: number;
}

/** Changes one key and journals it. NOT_FOUND for one that is not visible, ABORTED where others keep changing it. */
export function createKeyChange({ store, now, retentionMs }: KeyChangeDependencies) {
  return async (
    id: KeyId,
    visible: Visible,
    origin: Origin,
    next: Change,
    { guard, remark }: ChangeOptions = {},
  ): Promise<Changed> => {
    // A change is written by the version that was read, so what lags makes none. That there is nothing to change, or
    // that it is refused, is judged by the latest.
    const made = await tryOnce(true).catch(orNothing);
    if (made !== null && made.commit !== null) return made;
    for (let tries = 1; tries < triesMax; tries++) {
      const changed = await tryOnce();
      if (changed !== null) return changed;
    }
    throw contention('key');

    /** Null where others have changed it since it was read. */
    async function tryOnce(mayLag?: true): Promise<Changed | null> {
      const before = await store.getKey(id, mayLag);
      if (before === null || !visible(before)) throw notFound('key');
      const at = now();
      const wanted = next(before, at);
      if (wanted === null) return { before, key: before, commit: null };
      const key = { ...wanted, ...revival(before, wanted, at), updatedAt: at, version: before.version + 1 };
      await guard?.(before, key, at);
      const told = { at, remark, isOwnerActive: await isOwnerActive(store, key, at) };
      const commit = await store
        .replaceKey(key, before.version, retentionMs, keyDraft(origin, before, key, told))
        .catch(toldAsTaken);
      return commit === null ? null : { before, key, commit, isOwnerActive: told.isOwnerActive };
    }
  };
}

/** A refusal by what may lag is none. */
export function orNothing(error: unknown): null {
  if (error instanceof Failure) return null;
  throw error;
}

/**
 * A key that is active again has been idle from now on, not from when it was last used; so has one that was an admin key,
 * which is never ended for being idle.
 */
function revival(before: KeyRecord, after: KeyRecord, at: number): Partial<KeyRecord> {
  if (keyState(after, at) !== 'active') return {};
  const wasSpared = keyState(before, at) !== 'active' || (isAdmin(before) && !isAdmin(after));
  return wasSpared ? { revivedAt: at } : {};
}

/** Whether the owner of a key, if it has one, may have its keys used. What cannot be read denies nothing here. */
export async function isOwnerActive(
  store: Pick<Store, 'getOwner'>,
  { owner }: Pick<KeyRecord, 'owner'>,
  at: number,
): Promise<boolean> {
  if (owner === null) return true;
  try {
    return isActive(await store.getOwner(owner), at);
  } catch (error) {
    if (error instanceof BadRecord) return true;
    throw error;
  }
}

export interface Told {
  /** When, Unix milliseconds. */
  readonly at: number;
  /** Default true. */
  readonly isOwnerActive?: boolean;
  readonly remark?: Remark | undefined;
}

/** The journal's draft of a change of a key; `before` is null for a new one. */
export function keyDraft(
  origin: Origin,
  before: KeyRecord | null,
  after: KeyRecord,
  { at, isOwnerActive = true, remark = {} }: Told,
) {
  const json = (key: KeyRecord) => keyJson(shownKey(key, isOwnerActive, at), at);
  return changeDraft(origin, {
    target: after.id,
    targetName: after.name,
    owner: after.owner,
    before: before === null ? null : json(before),
    after: { ...json(after), ...remark },
  });
}

/** Throws ABORTED where an etag is given and is not that of the record. */
export function requireEtag(
  record: { readonly version: number },
  etag: string | null,
  kind: 'key' | 'owner' = 'key',
): void {
  if (etag === null || etag === etagOf(record)) return;
  const message = `The ${kind} has changed since: read it again, and then change it.`;
  throw new Failure('ABORTED', 'ETAG_MISMATCH', message);
}

/** ALREADY_EXISTS. */
function externalIdTaken(): Failure {
  const message = 'Another key of the same owner that is not revoked has this external_id.';
  return new Failure('ALREADY_EXISTS', 'EXTERNAL_ID_TAKEN', message, [
    { field: 'external_id', description: 'another key of the same owner that is not revoked has it' },
  ]);
}

/** ALREADY_EXISTS. */
function digestTaken(): Failure {
  const message =
    'There is a key with this sha256 already; a secret is that of one key, revoked ones among them.';
  return new Failure('ALREADY_EXISTS', 'KEY_EXISTS', message, [
    { field: 'sha256', description: 'there is a key with it already' },
  ]);
}

function toldAsTaken(error: unknown): never {
  throw error instanceof ExternalIdTaken ? externalIdTaken() : error;
}

export function contention(kind: string): Failure {
  return new Failure(
    'ABORTED',
    'CONTENTION',
    `The ${kind} was changed by others at the same time; try again.`,
  );
}

/** What whoever makes a key is told where it is refused, or something that no two keys may have is taken; else null. */
export function refusalToMake(error: unknown, isMadeElsewhere: boolean): Error | null {
  if (error instanceof ExternalIdTaken) return externalIdTaken();
  if (error instanceof DuplicateKey) return isMadeElsewhere ? digestTaken() : error;
  return error instanceof Failure ? error : null;
}
