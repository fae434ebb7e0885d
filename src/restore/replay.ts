/**
 * Room `restore/`: A restored store. Here: its mark, and the changes since its backup that it lacks. Not here:
 * making backups (`sqlite/backup/`).
 */

import type { NewOwner } from '../changes/owner-changes.ts';
import type { KeyOf, Registry } from '../changes/registry.ts';
import { Failure } from '../failure.ts';
import type { Origin } from '../journal/journal.ts';
import { changeDraft } from '../journal/journal.ts';
import type { KeyId, KeyRecord } from '../keys/key.ts';
import { type KeyPatch, narrows } from '../keys/key-patch.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import { BadRecord } from '../store/store.ts';
import type {
  ChangesSinceBackup,
  KeySinceBackup,
  OwnerSinceBackup,
  RoleSinceBackup,
} from './changes-since-backup.ts';
import type { RestorableStore, RestoreMark } from './restore-mark.ts';

/** Something that a replay takes away again, or would. */
export interface Retaken {
  /** The event that tells of it. */
  readonly event: string;
  /** The key, the owner or the role. */
  readonly target: string;
  readonly what: 'revoked' | 'disabled' | 'narrowed' | 'owner' | 'role';
}

/** A key that the store does not have. */
export interface MissingKey {
  readonly id: KeyId;
  readonly name: string;
}

export interface Replayed {
  readonly retaken: readonly Retaken[];
  /** Keys that were made after the backup, or are purged by now; those that were revoked are left out. */
  readonly missing: readonly MissingKey[];
  /** Keys whose records cannot be read: they allow nobody. */
  readonly unreadable: readonly KeyId[];
  /** What could not be done, and why; the rest was. */
  readonly failed: readonly { readonly target: string; readonly why: string }[];
}

export interface ReplayDependencies {
  readonly store: Pick<RestorableStore, 'getKey' | 'getOwner' | 'getRole'>;
  readonly registry: Pick<Registry, 'revoke' | 'disable' | 'update' | 'putOwner' | 'putRole' | 'deleteRole'>;
}

/** Who a replay writes into the journal as the one who did it. */
export const replayActor = 'postern restore';

/**
 * Takes away again what was taken away after a backup: keys revoked, leaked or disabled; permissions, allowlist,
 * expiry, plan or limit of a key made narrower, each as the last event shows it; the end of a key that was rotated;
 * owners suspended, lapsed or on another plan; roles deleted or made narrower. Gives nothing. Each change has its entry in the journal, named by the
 * event. May be repeated: what is so already stays. A dry run only answers what it would do.
 */
export async function replay(
  { store, registry }: ReplayDependencies,
  lost: ChangesSinceBackup,
  { isDryRun }: { readonly isDryRun: boolean },
): Promise<Replayed> {
  const retaken: Retaken[] = [];
  const missing: MissingKey[] = [];
  const unreadable: KeyId[] = [];
  const failed: { target: string; why: string }[] = [];
  for (const [id, last] of lost.keys) {
    const key = await read(id);
    if (key === 'unreadable') unreadable.push(id);
    else if (key === null) {
      if (!last.isRevoked) missing.push({ id, name: last.name });
    } else await take(id, () => takeFromKey(key, last));
  }
  for (const [id, last] of lost.owners) await take(id, () => takeFromOwner(last));
  for (const [id, last] of lost.roles) await take(id, () => takeFromRole(id, last));
  return { retaken, missing, unreadable, failed };

  /** One that is refused stops no other. */
  async function take(target: string, work: () => Promise<Retaken[]>): Promise<void> {
    try {
      retaken.push(...(await work()));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failed.push({ target, why: error.message });
    }
  }

  async function read(id: KeyId): Promise<KeyRecord | null | 'unreadable'> {
    try {
      return await store.getKey(id);
    } catch (error) {
      if (error instanceof BadRecord) return 'unreadable';
      throw error;
    }
  }

  async function takeFromKey(key: KeyRecord, { event, ...last }: KeySinceBackup): Promise<Retaken[]> {
    const of = (action: string): KeyOf => ({
      id: key.id,
      visible: () => true,
      origin: originOf(action, event),
    });
    const taken = (what: Retaken['what']): Retaken => ({ event, target: key.id, what });
    if (key.revokedAt !== null) return [];
    if (last.isRevoked) {
      if (!isDryRun) await registry.revoke(of('RevokeKey'));
      return [taken('revoked')];
    }
    const patch = narrowing(key, last.terms);
    const isNarrower = Object.keys(patch).length > 0;
    const isDisabled = last.isDisabled && key.disabledAt === null;
    if (isNarrower && !isDryRun) await registry.update(of('UpdateKey'), () => patch, null);
    if (isDisabled && !isDryRun) await registry.disable(of('DisableKey'));
    return [...(isNarrower ? [taken('narrowed')] : []), ...(isDisabled ? [taken('disabled')] : [])];
  }

  async function takeFromRole(id: string, { event, permissions }: RoleSinceBackup): Promise<Retaken[]> {
    const role = await store.getRole(id);
    if (role === null) return [];
    const left = role.permissions.filter((permission) => permissions?.includes(permission));
    if (permissions !== null && left.length === role.permissions.length) return [];
    if (!isDryRun && permissions === null) await registry.deleteRole(id, null, originOf('DeleteRole', event));
    else if (!isDryRun) {
      const { description } = role;
      await registry.putRole({ id, description, permissions: left }, null, originOf('PutRole', event));
    }
    return [{ event, target: id, what: 'role' }];
  }

  async function takeFromOwner({ event, owner: last }: OwnerSinceBackup): Promise<Retaken[]> {
    const wanted = narrowedOwner(await store.getOwner(last.id), last);
    if (wanted === null) return [];
    if (!isDryRun) await registry.putOwner(wanted, originOf('PutOwner', event));
    return [{ event, target: last.id, what: 'owner' }];
  }
}

/** Takes the mark away, so that the store is served from again; the journal says what became of the lost changes. */
export async function settleRestore(
  store: Pick<RestorableStore, 'appendJournal' | 'putRestoreMark'>,
  { sequence, hash }: RestoreMark,
  outcome: { readonly replayed_to: string | null },
): Promise<void> {
  const origin: Origin = { actor: replayActor, action: 'RestoreStore', address: null, requestId: null };
  const after = { restored_to: sequence, hash, ...outcome };
  await store.appendJournal([changeDraft(origin, { target: null, owner: null, before: null, after })]);
  await store.putRestoreMark(null);
}

function originOf(action: string, event: string): Origin {
  return { actor: replayActor, action, address: null, requestId: event };
}

/** Those of the terms that take something from the key. */
function narrowing(key: KeyRecord, terms: KeyPatch): KeyPatch {
  const one = (patch: KeyPatch) => (narrows(key, { ...key, ...patch }) ? patch : {});
  const { permissions, roles, ipAllowlist, principals, expiresAt, plan, rateLimits } = terms;
  return {
    ...(permissions && one({ permissions })),
    ...(roles && one({ roles })),
    ...(ipAllowlist && one({ ipAllowlist })),
    ...(principals && one({ principals })),
    ...(expiresAt !== undefined && !isShownAs(key.expiresAt, expiresAt) && one({ expiresAt })),
    ...(plan !== undefined && one({ plan })),
    ...(rateLimits !== undefined && one({ rateLimits })),
  };
}

/** Whether events show this time, which has milliseconds, as that one, which has none. */
function isShownAs(time: number | null, shown: number | null): boolean {
  return time !== null && shown !== null && time - (time % 1_000) === shown;
}

type Account = Pick<OwnerRecord, 'name' | 'contact' | 'labels' | 'billingAnchor' | 'keysMax'>;

function accountOf({ name, contact, labels, billingAnchor, keysMax }: Account): Account {
  return { name, contact, labels, billingAnchor, keysMax };
}

/** The owner with what the last event takes from it; null where that is nothing. */
function narrowedOwner(current: OwnerRecord | null, last: NewOwner): NewOwner | null {
  const { plan = null, activeUntil = null, suspended = false } = current ?? {};
  const until = isShownAs(activeUntil, last.activeUntil) ? activeUntil : last.activeUntil;
  const ends = [activeUntil, until].filter((end) => end !== null);
  const wanted: NewOwner = {
    id: last.id,
    // What only describes the owner takes nothing away.
    ...accountOf(current ?? last),
    plan: last.plan,
    activeUntil: ends.length === 0 ? null : Math.min(...ends),
    suspended: suspended || last.suspended,
  };
  const isSame = wanted.plan === plan && wanted.activeUntil === activeUntil && wanted.suspended === suspended;
  return isSame ? null : wanted;
}
