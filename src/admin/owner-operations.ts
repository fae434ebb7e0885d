import type { PutOwner, UpdatedOwner } from '../changes/owner-changes.ts';
import type { Registry } from '../changes/registry.ts';
import { invalidArgument, notFound } from '../failure.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import type { OwnerPatch } from '../keys/owner-patch.ts';
import type { Store } from '../store/store.ts';
import { type Call, requireUnbound } from './call.ts';
import type { KeyTerms } from './keys/key-terms.ts';
import { listOwnersInput, putOwnerInput, updateOwnerInput } from './owner-input.ts';
import { cut, pageSize } from './page.ts';
import { readNameToken, writeNameToken } from './page-token.ts';
import { readInput } from './read-input.ts';

export interface OwnerPage {
  /** By id. */
  readonly owners: readonly OwnerRecord[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

export interface OwnerOperations {
  /** Replaces what the owner was: members that are left out are null or false. For unbound admin keys alone. */
  putOwner(call: Call, id: string, input: unknown): Promise<PutOwner>;
  /** Members that are left out stay, null empties. For unbound admin keys alone. */
  updateOwner(call: Call, id: string, input: unknown): Promise<UpdatedOwner>;
  getOwner(call: Call, id: string): Promise<OwnerRecord>;
  listOwners(call: Call, input: unknown): Promise<OwnerPage>;
}

export function createOwnerOperations(dependencies: {
  readonly registry: Pick<Registry, 'putOwner' | 'updateOwner'>;
  readonly store: Pick<Store, 'getOwner' | 'listOwners'>;
  readonly terms: KeyTerms;
}): OwnerOperations {
  const { registry, store, terms } = dependencies;

  /** One that the owner has already, though nobody knows it any more, must not keep it from being suspended. */
  async function requirePlan(id: string, plan: string | null): Promise<void> {
    try {
      terms.planFor(plan, null);
    } catch (error) {
      if ((await store.getOwner(id))?.plan !== plan) throw error;
    }
  }

  return {
    async putOwner(call, id, input) {
      requireUnbound(call);
      const asked = readInput(putOwnerInput, withId(input, id));
      const { plan, active_until, suspended, name, contact, labels, billing_anchor, keys_max } = asked;
      await requirePlan(id, plan);
      const state = { plan, activeUntil: active_until, suspended };
      const account = {
        name,
        contact,
        labels: labels ?? {},
        billingAnchor: billing_anchor,
        keysMax: keys_max,
      };
      return registry.putOwner({ id, ...state, ...account }, call.origin);
    },
    async updateOwner(call, id, input) {
      requireUnbound(call);
      const { etag, ...asked } = readInput(updateOwnerInput, withId(input, id));
      if (asked.plan !== undefined) await requirePlan(id, asked.plan);
      return registry.updateOwner({ id, origin: call.origin }, patchOf(asked), etag ?? null);
    },
    async getOwner({ identity }, id) {
      const owner = identity.owner === null || identity.owner === id ? await store.getOwner(id) : null;
      if (owner === null) throw notFound('owner');
      return owner;
    },
    async listOwners({ identity }, input) {
      const { page_size, page_token } = readInput(listOwnersInput, input);
      const after = page_token ? readNameToken('owners', page_token) : null;
      if (identity.owner !== null) {
        const own = await store.getOwner(identity.owner);
        return { owners: own === null ? [] : [own], nextPageToken: null };
      }
      const size = pageSize(page_size);
      const { shown, last } = cut(await store.listOwners({ after, size: size + 1 }), size);
      return { owners: shown, nextPageToken: last === null ? null : writeNameToken('owners', last.id) };
    },
  };
}

function patchOf(asked: Omit<ReturnType<typeof updateOwnerInput.parse>, 'etag'>): OwnerPatch {
  const { plan, active_until, suspended, name, contact, labels, billing_anchor, keys_max } = asked;
  return {
    ...(plan !== undefined && { plan }),
    ...(active_until !== undefined && { activeUntil: active_until }),
    ...(suspended !== undefined && { suspended: suspended ?? false }),
    ...(name !== undefined && { name }),
    ...(contact !== undefined && { contact }),
    ...(labels !== undefined && { labels: labels ?? {} }),
    ...(billing_anchor !== undefined && { billingAnchor: billing_anchor }),
    ...(keys_max !== undefined && { keysMax: keys_max }),
  };
}

/** The id stands in the address and is checked with the rest; the input may repeat it, but name no other. */
function withId(input: unknown, id: string): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  if ('id' in input && input.id !== id) {
    throw invalidArgument([{ field: 'id', description: 'is not the one in the address' }]);
  }
  return { ...input, id };
}
