/**
 * Room `changes/`: Every change of a key and an owner. Here: create, rotate, update, revoke, import, and the
 * entry that each writes with it. Not here: who may ask for one (`admin/`).
 */

import type { KeyPolicy } from '../check/policy.ts';
import { Failure } from '../failure.ts';
import type { Origin } from '../journal/journal.ts';
import type { KeyId, KeyRecord } from '../keys/key.ts';
import { type KeyPatch, mayNarrow, narrows, patched } from '../keys/key-patch.ts';
import { isActive, type OwnerRecord } from '../keys/owner.ts';
import type { Digester, Secret } from '../keys/secret.ts';
import type { Settlement, Store } from '../store/store.ts';
import { createDisableIdle, createEndMany, type DisableIdle, type EndMany } from './bulk.ts';
import {
  type Changed,
  type ChangedKey,
  createKeyChange,
  type Guard,
  keyDraft,
  refusalToMake,
  requireEtag,
  type Visible,
} from './key-change.ts';
import { createKeyImport, type ImportKeys, type KeyImportDependencies } from './key-import.ts';
import { createLeakRevocation, type RevokeInClear, type RevokeLeaked } from './leaks.ts';
import { createMint, type KnownSecret, type Minted, type NewKey } from './minting.ts';
import { createOwnerChanges, type OwnerChanges } from './owner-changes.ts';
import { createPortalChanges, type PortalChanges } from './portal-changes.ts';
import { createRoleChanges, type RoleChanges } from './role-changes.ts';
import { createRotation, type Rotated, type RotationWish } from './rotation.ts';

export interface Made {
  readonly key: KeyRecord;
  /** Null when an earlier request of the same name made the key, a secret exists once, and where it was made elsewhere. */
  readonly secret: Secret | null;
}

export interface Narrowed extends Settlement, ChangedKey {}

export interface Updated extends ChangedKey {
  /** Null when the change took nothing away. */
  readonly settlement: Settlement | null;
}

/**
 * Every change of a key and of an owner, written with its entry in the journal, which names the origin. NOT_FOUND
 * for keys that are not visible, ABORTED where others keep changing the same thing.
 */
export interface Registry extends OwnerChanges, RoleChanges, PortalChanges {
  /**
   * FAILED_PRECONDITION when the owner is not active and no earlier request of the same name made the key. The guard,
   * which may refuse, is asked when none did, and says what it has read of the owner. `known` is of a secret that was
   * made elsewhere: ALREADY_EXISTS where a key has its digest.
   */
  create(wanted: NewKey, origin: Origin, options?: CreateOptions): Promise<Made>;
  /** The first key of a store that never had one; null when it had. To be tried again after `StoreUnavailable`. */
  createFirst(wanted: NewKey, origin: Origin): Promise<Made | null>;
  readonly import: ImportKeys;
  /**
   * ABORTED when an etag is given that is not the key's. `patchOf` is told of the key and may refuse. The guard, as
   * in the methods below, is asked before a change is written.
   */
  update(of: KeyOf, patchOf: (key: KeyRecord) => KeyPatch, ifEtag: string | null): Promise<Updated>;
  rotate(of: KeyOf, wish: RotationWish): Promise<Rotated>;
  readonly endMany: EndMany;
  readonly disableIdle: DisableIdle;
  /** For good. A key that is revoked already stays as it is. */
  revoke(of: KeyOf): Promise<Narrowed>;
  disable(of: KeyOf): Promise<Narrowed>;
  revokeLeaked: RevokeLeaked;
  readonly revokeInClear: RevokeInClear;
  enable(of: KeyOf): Promise<ChangedKey>;
}

export interface CreateOptions {
  readonly guard?: () => Promise<OwnerRecord | null>;
  readonly known?: KnownSecret | null;
}

/** A key that somebody wants changed, as far as they may see it. */
export interface KeyOf {
  readonly id: KeyId;
  readonly visible: Visible;
  readonly origin: Origin;
  readonly guard?: Guard;
}

export interface RegistryDependencies {
  readonly store: Pick<
    Store,
    | 'getKey'
    | 'getKeyByRequest'
    | 'insertKey'
    | 'insertFirstKey'
    | 'findKey'
    | 'appendJournal'
    | 'replaceKey'
    | 'replaceKeys'
    | 'rotateKey'
    | 'getOwner'
    | 'putOwner'
    | 'getRole'
    | 'putRole'
    | 'deleteRole'
    | 'getPortalSession'
    | 'putPortalSession'
    | 'settle'
  > &
    KeyImportDependencies['store'];
  readonly digester: Digester;
  /** What holds now. */
  readonly policy: () => Pick<KeyPolicy, 'keySchemes'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export interface RegistryOptions {
  /** How long a key's record outlives its end. */
  readonly retentionMs: number;
  /** So long after a change no replica judges by what was before; default 15 000. */
  readonly stalenessMaxMs?: number;
}

/** A change is committed, or has failed, so long after its time. */
const changeMaxMs = 30_000;

export function createRegistry(dependencies: RegistryDependencies, options: RegistryOptions): Registry {
  const { store, digester, policy, now } = dependencies;
  const { retentionMs, stalenessMaxMs = 15_000 } = options;
  const { mint, record } = createMint(digester, now);
  const changeKey = createKeyChange({ store, now, retentionMs });
  const schemeOf = (name: string) => policy().keySchemes.find((scheme) => scheme.name === name) ?? null;
  const endMany = createEndMany({ store, changeKey, now, retentionMs });
  const rotate = createRotation({ store, mint, schemeOf, now, retentionMs });
  let first: Minted | null = null;

  return {
    ...createLeakRevocation({ store, digester, changeKey, now }),
    async create(wanted, origin, { guard, known = null } = {}) {
      // Before all else: what came of the first try is true of the retry, whatever holds by now.
      const before = await madeBefore(wanted, true);
      if (before !== null) return before;
      try {
        const owner = await (guard?.() ?? ownerOf(wanted));
        // The guard may go by what memory knows; a refusal is judged by the latest.
        if (!isActive(owner, now())) requireActive(await ownerOf(wanted));
        const made = known === null ? mint(wanted) : { key: record(wanted, known), secret: null };
        const draft = keyDraft(origin, null, made.key, { at: now() });
        await store.insertKey(made.key, retentionMs, draft, known === null || undefined);
        return made;
      } catch (error) {
        const refusal = refusalToMake(error, known !== null);
        // That read may have missed the first try, which is in the way of no other thing than this.
        const meanwhile = refusal === null ? null : await madeBefore(wanted);
        if (meanwhile !== null) return meanwhile;
        throw refusal ?? error;
      }
    },
    async createFirst(wanted, origin) {
      // The same record at each try: after an answer that was lost the store knows it again.
      first ??= mint(wanted);
      const draft = keyDraft(origin, null, first.key, { at: now() });
      return (await store.insertFirstKey(first.key, retentionMs, draft)) ? first : null;
    },
    import: createKeyImport({ store, now, retentionMs }),
    async update({ id, visible, origin, guard }, patchOf, ifEtag) {
      let patch: KeyPatch = {};
      const changed = await changeKey(
        id,
        visible,
        origin,
        (key) => {
          requireEtag(key, ifEtag);
          patch = patchOf(key);
          return patched(key, patch);
        },
        { guard },
      );
      const { before, key, commit, isOwnerActive } = changed;
      // Nothing to write may be the retry of a change whose answer was lost.
      const isNarrower = commit === null ? mayNarrow(patch) : narrows(before, key);
      return {
        key,
        isOwnerActive,
        settlement: isNarrower ? await store.settle(commit ?? { at: now() }) : null,
      };
    },
    rotate: ({ id, visible, origin }, wish) => rotate(id, visible, origin, wish),
    revoke: (of) =>
      narrow(
        of,
        (key, at) => (key.revokedAt === null ? { ...key, revokedAt: at } : null),
        ({ revokedAt }) => revokedAt,
      ),
    disable: (of) =>
      narrow(
        of,
        (key, at) => {
          refuseIfRevoked(key, 'disabled');
          return key.disabledAt === null ? { ...key, disabledAt: at } : null;
        },
        ({ disabledAt }) => disabledAt,
      ),
    async enable({ id, visible, origin }) {
      return changeKey(id, visible, origin, (current) => {
        refuseIfRevoked(current, 'enabled');
        return current.disabledAt === null ? null : { ...current, disabledAt: null };
      });
    },
    ...{ endMany, disableIdle: createDisableIdle(endMany) },
    ...createOwnerChanges({ store, now }),
    ...createRoleChanges({ store, now }),
    ...createPortalChanges({ store, now }),
  };

  async function madeBefore({ requestKey }: NewKey, mayLag?: true): Promise<Made | null> {
    const key = requestKey === null ? null : await store.getKeyByRequest(requestKey, mayLag);
    return key === null ? null : { key, secret: null };
  }

  async function ownerOf({ owner }: NewKey): Promise<OwnerRecord | null> {
    return owner === null ? null : store.getOwner(owner);
  }

  function requireActive(owner: OwnerRecord | null): void {
    if (isActive(owner, now())) return;
    throw new Failure('FAILED_PRECONDITION', 'OWNER_INACTIVE', 'The owner has no active subscription.');
  }

  async function narrow(
    { id, visible, origin, guard }: KeyOf,
    next: (key: KeyRecord, at: number) => KeyRecord | null,
    endedAt: (key: KeyRecord) => number | null,
  ): Promise<Narrowed> {
    const { key, commit, isOwnerActive }: Changed = await changeKey(id, visible, origin, next, { guard });
    if (commit !== null) return { key, isOwnerActive, ...(await store.settle(commit)) };
    // Nothing to write is no proof that every replica has heard of it: an earlier answer may have been lost.
    const heardBy = (endedAt(key) ?? now()) + stalenessMaxMs + changeMaxMs;
    if (heardBy <= now()) return { key, effectiveAt: heardBy, unconfirmedReplicas: [] };
    return { key, ...(await store.settle({ at: now() })) };
  }
}

function refuseIfRevoked(key: KeyRecord, verb: string): void {
  if (key.revokedAt === null) return;
  const message = `A revoked key cannot be ${verb}; create a new one.`;
  throw new Failure('FAILED_PRECONDITION', 'KEY_REVOKED', message);
}
