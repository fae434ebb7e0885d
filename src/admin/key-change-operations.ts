import type { Guard } from '../changes/key-change.ts';
import type { KeyOf, Narrowed, Registry, Updated } from '../changes/registry.ts';
import type { Rotated } from '../changes/rotation.ts';
import type { KeyPolicy } from '../check/policy.ts';
import type { KeyRecord } from '../keys/key.ts';
import type { KeyPatch } from '../keys/key-patch.ts';
import { emptyInput, readInput, rotateKeyInput, updateKeyInput } from './admin-input.ts';
import { type Call, keyId, requestKey, visibleTo } from './call.ts';
import type { KeyTerms } from './key-terms.ts';

/** Changing keys that are there. */
export interface KeyChangeOperations {
  /** Members that are left out stay, null empties. */
  updateKey(call: Call, id: string, input: unknown): Promise<Updated>;
  rotateKey(call: Call, id: string, input: unknown): Promise<Rotated>;
  /** The input, in this and the next two, is an empty object, or left out. */
  revokeKey(call: Call, id: string, input?: unknown): Promise<Narrowed>;
  disableKey(call: Call, id: string, input?: unknown): Promise<Narrowed>;
  enableKey(call: Call, id: string, input?: unknown): Promise<KeyRecord>;
}

export interface KeyChangeOperationsDependencies {
  readonly registry: Registry;
  readonly terms: KeyTerms;
  /** What holds now. */
  readonly policy: () => Pick<KeyPolicy, 'keySchemes'>;
  /** Refuses what would leave nobody who may change everything. */
  readonly guard: Guard;
}

export function createKeyChangeOperations(
  dependencies: KeyChangeOperationsDependencies,
): KeyChangeOperations {
  const { registry, terms, policy, guard } = dependencies;

  return {
    async updateKey(call, id, input) {
      const { etag, ...asked } = readInput(updateKeyInput, input);
      const patch = patchOf(asked);
      return registry.update(keyOf(call, id), (key) => checked(patch, key), etag ?? null);
    },
    async rotateKey(call, id, input) {
      const { request_id, grace_period, ...expiry } = readInput(rotateKeyInput, input);
      const expiresAt = terms.expiryFor(expiry);
      return registry.rotate(keyOf(call, id), {
        graceMs: grace_period ?? 0,
        ...(expiresAt !== undefined && { expiresAt }),
        requestKey: requestKey(call, request_id, 'rotate', id),
      });
    },
    async revokeKey(call, id, input = {}) {
      readInput(emptyInput, input);
      return registry.revoke(keyOf(call, id));
    },
    async disableKey(call, id, input = {}) {
      readInput(emptyInput, input);
      return registry.disable(keyOf(call, id));
    },
    async enableKey(call, id, input = {}) {
      readInput(emptyInput, input);
      return registry.enable(keyOf(call, id));
    },
  };

  function keyOf(call: Call, id: string): KeyOf {
    return { id: keyId(id), visible: visibleTo(call), origin: call.origin, guard };
  }

  function patchOf(asked: Omit<ReturnType<typeof updateKeyInput.parse>, 'etag'>): KeyPatch {
    const { name, permissions, ip_allowlist, expires_at, plan, rate_limit, labels } = asked;
    const expiresAt = terms.expiryFor({ expires_at: expires_at ?? null, expires_in: null }) ?? null;
    return {
      ...(name !== undefined && { name }),
      ...(permissions !== undefined && { permissions: [...new Set(permissions ?? [])] }),
      ...(ip_allowlist !== undefined && { ipAllowlist: [...new Set(ip_allowlist ?? [])] }),
      ...(expires_at !== undefined && { expiresAt }),
      ...(plan !== undefined && { plan }),
      ...(rate_limit !== undefined && { rateLimit: rate_limit }),
      ...(labels !== undefined && { labels: labels ?? {} }),
    };
  }

  /** A plan is another thing to each scheme. */
  function checked(patch: KeyPatch, key: KeyRecord): KeyPatch {
    const scheme = policy().keySchemes.find((known) => known.name === key.scheme);
    if (patch.plan === undefined || scheme === undefined) return patch;
    return { ...patch, plan: terms.planFor(patch.plan, scheme) };
  }
}
