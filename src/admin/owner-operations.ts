import type { PutOwner, UpdatedOwner } from '../changes/owner-changes.ts';
import type { Registry } from '../changes/registry.ts';
import { invalidArgument, notFound } from '../failure.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import type { Store } from '../store/store.ts';
import { listOwnersInput, putOwnerInput, readInput, updateOwnerInput } from './admin-input.ts';
import { type Call, requireUnbound } from './call.ts';
import type { KeyTerms } from './keys/key-terms.ts';
import { cut, pageSize } from './page.ts';
import { readOwnerToken, writeOwnerToken } from './page-token.ts';

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
      const { plan, active_until, suspended } = readInput(putOwnerInput, withId(input, id));
      await requirePlan(id, plan);
      return registry.putOwner({ id, plan, activeUntil: active_until, suspended }, call.origin);
    },
    async updateOwner(call, id, input) {
      requireUnbound(call);
      const { plan, active_until, suspended, etag } = readInput(updateOwnerInput, withId(input, id));
      if (plan !== undefined) await requirePlan(id, plan);
      const patch = {
        ...(plan !== undefined && { plan }),
        ...(active_until !== undefined && { activeUntil: active_until }),
        ...(suspended !== undefined && { suspended: suspended ?? false }),
      };
      return registry.updateOwner({ id, origin: call.origin }, patch, etag ?? null);
    },
    async getOwner({ identity }, id) {
      const owner = identity.owner === null || identity.owner === id ? await store.getOwner(id) : null;
      if (owner === null) throw notFound('owner');
      return owner;
    },
    async listOwners({ identity }, input) {
      const { page_size, page_token } = readInput(listOwnersInput, input);
      const after = page_token ? readOwnerToken(page_token) : null;
      if (identity.owner !== null) {
        const own = await store.getOwner(identity.owner);
        return { owners: own === null ? [] : [own], nextPageToken: null };
      }
      const size = pageSize(page_size);
      const { shown, last } = cut(await store.listOwners({ after, size: size + 1 }), size);
      return { owners: shown, nextPageToken: last === null ? null : writeOwnerToken(last.id) };
    },
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
