import type { Guard } from '../../changes/key-change.ts';
import type { KeyOf, Narrowed, Registry, Updated } from '../../changes/registry.ts';
import type { Rotated } from '../../changes/rotation.ts';
import type { KeyPolicy } from '../../check/policy.ts';
import type { KeyRecord, ShownKey } from '../../keys/key.ts';
import type { KeyPatch } from '../../keys/key-patch.ts';
import type { Store } from '../../store/store.ts';
import { limitsAsked } from '../admin-fields.ts';
import { emptyInput, rotateKeyInput, updateKeyInput } from '../admin-input.ts';
import { type Call, keyId, requestKey, requireMayGive, visibleTo } from '../call.ts';
import { readInput } from '../read-input.ts';
import type { KeyTerms } from './key-terms.ts';
import { requireRoles } from './known-roles.ts';
import { requireMayLimit, requireSharer } from './limit-terms.ts';
import type { RuleGuard } from './rule-guard.ts';
import type { ShowKeys, Shown } from './shown-keys.ts';

/** The new key, and the old one as it is from now on. */
export type ShownRotation = Omit<Shown<Rotated>, 'rotatedKey'> & { readonly rotatedKey: ShownKey | null };

/** Changing keys that are there. */
export interface KeyChangeOperations {
  /** Members that are left out stay, null empties. */
  updateKey(call: Call, id: string, input: unknown): Promise<Shown<Updated>>;
  rotateKey(call: Call, id: string, input: unknown): Promise<ShownRotation>;
  /** The input, in this and the next two, is an empty object, or left out. */
  revokeKey(call: Call, id: string, input?: unknown): Promise<Shown<Narrowed>>;
  disableKey(call: Call, id: string, input?: unknown): Promise<Shown<Narrowed>>;
  enableKey(call: Call, id: string, input?: unknown): Promise<ShownKey>;
}

export interface KeyChangeOperationsDependencies {
  readonly registry: Registry;
  readonly store: Pick<Store, 'getRole'>;
  readonly terms: KeyTerms;
  readonly show: ShowKeys;
  readonly rules: RuleGuard;
  /** What holds now. */
  readonly policy: () => Pick<KeyPolicy, 'keySchemes'>;
  /** Refuses what would leave nobody who may change everything. */
  readonly guard: Guard;
}

export function createKeyChangeOperations(
  dependencies: KeyChangeOperationsDependencies,
): KeyChangeOperations {
  const { registry, store, terms, show, rules, policy, guard } = dependencies;
  const updateGuard: Guard = async (before, after, at) => {
    await guard(before, after, at);
    // Those that it has already are sent back by whoever sends the whole key.
    const added = after.roles.filter((role) => !before.roles.includes(role));
    await requireRoles(store, added);
    await rules.requireChange(before, after, at);
  };

  return {
    async updateKey(call, id, input) {
      const { etag, ...asked } = readInput(updateKeyInput, input);
      const patch = patchOf(asked);
      const of = { ...keyOf(call, id), guard: updateGuard };
      return show.changed(await registry.update(of, (key) => checked(call, patch, key), etag ?? null));
    },
    async rotateKey(call, id, input) {
      const { request_id, grace_period, ...expiry } = readInput(rotateKeyInput, input);
      const expiresAt = terms.expiryFor(expiry);
      const rotated = await registry.rotate(keyOf(call, id), {
        graceMs: grace_period ?? 0,
        ...(expiresAt !== undefined && { expiresAt }),
        requestKey: requestKey(call, request_id, 'rotate', id),
        defaultExpiry: rules.defaultExpiry,
        check: rules.requireTerms,
      });
      return withOldKey(rotated);
    },
    async revokeKey(call, id, input = {}) {
      readInput(emptyInput, input);
      return show.changed(await registry.revoke(keyOf(call, id)));
    },
    async disableKey(call, id, input = {}) {
      readInput(emptyInput, input);
      return show.changed(await registry.disable(keyOf(call, id)));
    },
    async enableKey(call, id, input = {}) {
      readInput(emptyInput, input);
      return (await show.changed(await registry.enable(keyOf(call, id)))).key;
    },
  };

  async function withOldKey(rotated: Rotated): Promise<ShownRotation> {
    const { rotatedKey: old, isOwnerActive } = rotated;
    // At once, as both are of one owner.
    const [shown, shownOld] = await Promise.all([
      show.changed(rotated),
      old === null ? null : show.changed({ key: old, isOwnerActive }),
    ]);
    return { ...shown, rotatedKey: shownOld?.key ?? null };
  }

  function keyOf(call: Call, id: string): KeyOf {
    return { id: keyId(id), visible: visibleTo(call), origin: call.origin, guard };
  }

  function patchOf(asked: Omit<ReturnType<typeof updateKeyInput.parse>, 'etag'>): KeyPatch {
    const { name, permissions, roles, ip_allowlist, principals } = asked;
    const { expires_at, plan, labels } = asked;
    const rateLimits = limitsAsked(asked);
    const expiresAt = terms.expiryFor({ expires_at: expires_at ?? null, expires_in: null }) ?? null;
    return {
      ...(name !== undefined && { name }),
      ...(permissions !== undefined && { permissions: [...new Set(permissions ?? [])] }),
      ...(roles !== undefined && { roles: [...new Set(roles ?? [])] }),
      ...(ip_allowlist !== undefined && { ipAllowlist: [...new Set(ip_allowlist ?? [])] }),
      ...(principals !== undefined && { principals: [...new Set(principals ?? [])] }),
      ...(expires_at !== undefined && { expiresAt }),
      ...(plan !== undefined && { plan }),
      ...(rateLimits !== undefined && { rateLimits }),
      ...(labels !== undefined && { labels: labels ?? {} }),
      ...(asked.external_id !== undefined && { externalId: asked.external_id }),
    };
  }

  /** A plan is another thing to each scheme. */
  function checked(call: Call, patch: KeyPatch, key: KeyRecord): KeyPatch {
    requireMayLimit(call, patch, key);
    requireMayGive(call, patch.permissions ?? []);
    requireSharer(patch.rateLimits ?? [], key.owner);
    const scheme = policy().keySchemes.find((known) => known.name === key.scheme) ?? null;
    // One that it has already, though nobody knows it any more, is sent back by whoever sends the whole key.
    if (patch.plan === undefined || patch.plan === key.plan) return patch;
    return { ...patch, plan: terms.planFor(patch.plan, scheme) };
  }
}
