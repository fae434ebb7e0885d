import { AdminProblem } from '../admin.ts';
import type { ClusterObject } from '../cluster/objects.ts';
import { Problem } from '../problem.ts';
import type { HeldKey, HeldKeys, MadeKey } from './held-keys.ts';
import { type ApiKeySpec, uidLabel } from './spec.ts';

/** Revoked keys in a row that are passed by; there are more only where somebody goes on revoking. */
const triesMax = 10;

/** What those who look at Postern's keys read: it stays when keys are rotated. */
export function externalIdOf({ metadata: { uid } }: ClusterObject): string {
  return `kubernetes:${uid}`;
}

/** The key that an ApiKey stands for, as it is in Postern. */
export interface CurrentKey {
  /** Null where there is none, or it was revoked. */
  find(object: ClusterObject, spec: ApiKeySpec): Promise<HeldKey | null>;
  /** Makes one. A retry makes no second: it finds the first, without its secret. */
  make(object: ClusterObject, spec: ApiKeySpec): Promise<MadeKey>;
  /** Undoes what was changed by hand, or is otherwise by now; null where the key has ended and cannot be used again. */
  putRight(object: ClusterObject, spec: ApiKeySpec, key: HeldKey): Promise<HeldKey | null>;
}

export function createCurrentKey(keys: HeldKeys): CurrentKey {
  /** Keys that a rule of Postern does not let live for ever, by the ApiKey's uid. */
  const limited = new Map<string, string>();

  return {
    async find(object, spec) {
      const found = await keys.byExternalId(spec.owner, externalIdOf(object));
      if (found !== null) return found;
      // Somebody took its external id away.
      const id = statusKeyId(object);
      let key = id === null ? null : await keys.get(id);
      for (let tries = 0; key?.replaced_by && tries < triesMax; tries++)
        key = await keys.get(key.replaced_by);
      // A status is not proof: it may name any key.
      const isOurs = key?.labels[uidLabel] === object.metadata.uid && key.owner === spec.owner;
      return isOurs && key?.state !== 'revoked' ? key : null;
    },
    async make(object, spec) {
      const { uid } = object.metadata;
      const { name, permissions, roles, labels, owner, scheme, environment } = spec;
      const grants = { name, permissions, roles, labels, owner, scheme, environment };
      let last = statusKeyId(object) ?? 'none';
      for (let tries = 0; tries < triesMax; tries++) {
        const requestId = `${uid}/after/${last}`;
        const made = await keys.create({
          ...grants,
          external_id: externalIdOf(object),
          request_id: requestId,
        });
        if (made.key.state !== 'revoked') return made;
        last = made.key.id;
      }
      throw new Problem('Revoked', 'somebody goes on revoking the keys of this ApiKey');
    },
    async putRight(object, spec, found) {
      const wanted = {
        name: spec.name,
        permissions: spec.permissions,
        roles: spec.roles,
        labels: spec.labels,
      };
      const patch: Record<string, unknown> = {};
      for (const [member, value] of Object.entries(wanted)) {
        if (canonical(value) !== canonical(found[member as keyof typeof wanted])) patch[member] = value;
      }
      if (found.external_id !== externalIdOf(object)) patch.external_id = externalIdOf(object);
      let key: HeldKey | null = found;
      if (Object.keys(patch).length > 0) key = await keys.update(found.id, patch);
      if (key.expires_at !== null) key = await withoutEnd(object.metadata.uid, key);
      return key?.state === 'disabled' ? await keys.enable(key.id) : key;
    },
  };

  /** A key ends by rotation alone; where a rule of Postern bounds its life, it is rotated in time. */
  async function withoutEnd(uid: string, key: HeldKey): Promise<HeldKey | null> {
    if (limited.get(uid) === key.id && key.state !== 'expired') return key;
    try {
      return await keys.update(key.id, { expires_at: null });
    } catch (error) {
      if (!(error instanceof AdminProblem) || error.isAway) throw error;
      limited.set(uid, key.id);
      if (key.state !== 'expired') return key;
      // Another takes its place, under the same external id.
      await keys.update(key.id, { external_id: null });
      return null;
    }
  }
}

export function statusKeyId({ status }: ClusterObject): string | null {
  const { keyId } = (status ?? {}) as { readonly keyId?: unknown };
  return typeof keyId === 'string' && keyId !== '' ? keyId : null;
}

/** Lists have each value once, in no order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return JSON.stringify([...new Set(value)].toSorted());
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
