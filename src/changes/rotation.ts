import { Failure, notFound } from '../failure.ts';
import { changeDraft, type Origin } from '../journal/journal.ts';
import { type KeyId, type KeyRecord, keyState, shownKey } from '../keys/key.ts';
import type { Secret } from '../keys/secret.ts';
import type { Scheme } from '../schemes/scheme.ts';
import { type Commit, DuplicateKey, type Settlement, type Store } from '../store/store.ts';
import { contention, isOwnerActive, orNothing, triesMax, type Visible } from './key-change.ts';
import { keyJson } from './key-json.ts';
import type { Mint, NewKey } from './minting.ts';

export interface RotationWish {
  /** How long the old key is still allowed; 0 ends it at once. */
  readonly graceMs: number;
  /** When the new key expires: Unix milliseconds, null for never, absent for when the old one would have. */
  readonly expiresAt?: number | null;
  /** Names the request, so that a retry of it rotates nothing more; null when it may. */
  readonly requestKey: string | null;
  /** When a new key ends that would have no end, and for which none is asked; null for never. Default: never. */
  readonly defaultExpiry?: (key: KeyRecord) => number | null;
  /** May refuse the key that is about to be made. */
  readonly check?: (made: KeyRecord) => void;
}

export interface Rotated extends Settlement {
  /** The new key. */
  readonly key: KeyRecord;
  /** Null when an earlier request of the same name made the key: a secret exists once. */
  readonly secret: Secret | null;
  /** The old key as it is from now on; null where its record is gone by the time of a retry. */
  readonly rotatedKey: KeyRecord | null;
  /** Whether their owner may have its keys used, where the rotation had to know. */
  readonly isOwnerActive?: boolean | undefined;
}

export interface RotationDependencies {
  readonly store: Pick<Store, 'getKey' | 'getKeyByRequest' | 'getOwner' | 'rotateKey' | 'settle'>;
  readonly mint: Mint['mint'];
  /** The scheme of that name, null for one that is configured no more. */
  readonly schemeOf: (name: string) => Scheme | null;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly retentionMs: number;
}

/**
 * Replaces a key by a new one with the same grants. NOT_FOUND for one that is not visible, FAILED_PRECONDITION for
 * one that is not active or was rotated before.
 */
export function createRotation({ store, mint, schemeOf, now, retentionMs }: RotationDependencies) {
  return async (id: KeyId, visible: Visible, origin: Origin, wish: RotationWish): Promise<Rotated> => {
    // As in every change of a key: what lags makes none, and a refusal is judged by the latest.
    const rotated = await tryOnce(id, visible, origin, wish, true).catch(orNothing);
    if (rotated !== null) return rotated;
    for (let tries = 1; tries < triesMax; tries++) {
      const again = await tryOnce(id, visible, origin, wish);
      if (again !== null) return again;
    }
    throw contention('key');
  };

  /** Null where others have changed the key since it was read. */
  async function tryOnce(
    id: KeyId,
    visible: Visible,
    origin: Origin,
    wish: RotationWish,
    mayLag?: true,
  ): Promise<Rotated | null> {
    const current = await store.getKey(id, mayLag);
    // After it: so that who finds the key rotated by this very request finds what it made, too.
    const before = await madeBefore(wish, mayLag);
    if (before !== null) return before;
    if (current === null || !visible(current)) throw notFound('key');
    const rotation = plan(current, wish, origin.actor);
    const { made, secret, old, at } = rotation;
    const isActive = await isOwnerActive(store, old, at);
    const commit = await commitOf(rotation, origin, isActive);
    if (commit === null) return null;
    return { key: made, secret, rotatedKey: old, isOwnerActive: isActive, ...(await store.settle(commit)) };
  }

  async function madeBefore({ requestKey }: RotationWish, mayLag?: true): Promise<Rotated | null> {
    const key = requestKey === null ? null : await store.getKeyByRequest(requestKey, mayLag);
    if (key === null) return null;
    const rotatedKey = key.rotatedFrom === null ? null : await store.getKey(key.rotatedFrom);
    return { key, secret: null, rotatedKey, ...(await store.settle({ at: now() })) };
  }

  function plan(
    current: KeyRecord,
    { graceMs, expiresAt, requestKey, defaultExpiry, check }: RotationWish,
    createdBy: string | null,
  ) {
    const at = now();
    requireRotatable(current, at);
    const scheme = schemeOf(current.scheme);
    if (scheme === null || scheme.prefixes.every(({ environment }) => environment !== current.environment)) {
      const message = 'No more keys of this scheme and environment can be made: the configuration has none.';
      throw new Failure('FAILED_PRECONDITION', 'SCHEME_UNKNOWN', message);
    }
    if (scheme.mint === null) {
      const message = `Keys of ${scheme.name} have no prefix, and so are imported and never made: create a key of another scheme, and then revoke this one.`;
      throw new Failure('FAILED_PRECONDITION', 'KEY_NOT_MINTED', message);
    }
    const wanted: NewKey = { ...grantsOf(current), scheme, requestKey, createdBy };
    const inherited = current.expiresAt ?? defaultExpiry?.(current) ?? null;
    const { key: made, secret } = mint(
      { ...wanted, expiresAt: expiresAt === undefined ? inherited : expiresAt },
      current,
    );
    check?.(made);
    const old: KeyRecord = {
      ...current,
      expiresAt: Math.min(current.expiresAt ?? Infinity, at + graceMs),
      // The new key has it from now on.
      externalId: null,
      rotatedTo: made.id,
      updatedAt: at,
      version: current.version + 1,
    };
    return { made, secret, old, current, at };
  }

  /** Null where the key was changed by others since it was read, or they made one by the same request. */
  async function commitOf(
    rotation: ReturnType<typeof plan>,
    origin: Origin,
    isActive: boolean,
  ): Promise<Commit | null> {
    const { made, old, current, at } = rotation;
    const json = (key: KeyRecord) => keyJson(shownKey(key, isActive, at), at);
    const draft = changeDraft(origin, {
      target: old.id,
      targetName: old.name,
      owner: old.owner,
      before: json(current),
      after: { rotated: json(old), made: json(made) },
    });
    try {
      return await store.rotateKey({ old, ifVersion: current.version, made }, retentionMs, draft);
    } catch (error) {
      if (error instanceof DuplicateKey && made.requestKey !== null) return null;
      throw error;
    }
  }
}

function grantsOf(key: KeyRecord): Omit<NewKey, 'scheme' | 'requestKey' | 'createdBy'> {
  const { name, environment, owner, permissions, roles, ipAllowlist, plan, rateLimits, labels } = key;
  const { principals, expiresAt, externalId } = key;
  return {
    ...{ name, environment, owner, permissions, roles, ipAllowlist, plan, rateLimits, labels },
    ...{ principals, expiresAt, externalId },
  };
}

function requireRotatable(key: KeyRecord, at: number): void {
  const state = keyState(key, at);
  if (key.rotatedTo !== null && state !== 'revoked') {
    const message = 'This key was rotated before; rotate the key that replaced it.';
    throw new Failure('FAILED_PRECONDITION', 'KEY_ROTATED', message);
  }
  if (state !== 'active') {
    const advice = state === 'disabled' ? 'enable it first' : 'create a new one';
    const message = `A key that is ${state} cannot be rotated; ${advice}.`;
    throw new Failure('FAILED_PRECONDITION', `KEY_${state.toUpperCase()}`, message);
  }
}
