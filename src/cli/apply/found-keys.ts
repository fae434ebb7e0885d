import { z } from 'zod';
import { type KeyAnswer, keyAnswer } from '../answers/key-text.ts';
import type { Client } from '../calls/client.ts';
import { readPages } from '../calls/pages.ts';
import { setLabel, type Wanted } from './documents.ts';

/** A key that is there for a document; null for none. Or why there is one that the document is not about. */
export type FoundKey = { readonly key: KeyAnswer | null } | { readonly problem: string };

/** Keys of the service, as an admin key sees them. */
export interface FoundKeys {
  of(wanted: Wanted): Promise<FoundKey>;
  /** All that may be used and that the set made, the newest first. */
  ofSet(): Promise<readonly KeyAnswer[]>;
}

const termsAnswer = z.object({ data: z.looseObject({ owner: z.string().nullable() }) });

/** Looks for the keys of a set, which `all` its documents are about. */
export async function createFoundKeys(
  client: Client,
  set: string,
  all: readonly Wanted[],
): Promise<FoundKeys> {
  const { data: terms } = await client.call(termsAnswer, 'GET', '/admin/terms');

  return {
    async of(wanted) {
      const { id, spec } = wanted;
      const owner = ownerOf(wanted);
      if (owner !== null) {
        const [own] = (await list({ external_id: id, owner })).filter((key) => key.owner === owner);
        if (own !== undefined) return { key: own };
      }
      const others = await list({ external_id: id });
      const [free] = others.filter((key) => key.owner === null);
      if (owner === null && free !== undefined) return { key: free };
      // The same external id of another owner is another key, unless this set made it and names it no other way.
      const [moved] = others.filter((key) => isOfSet(key, set) && !all.some((other) => isAbout(other, key)));
      if (moved === undefined) return { key: null };
      if (!Object.hasOwn(spec, 'owner')) return { key: moved };
      const problem = `is a key of ${moved.owner ?? 'no owner'}: its owner cannot be changed`;
      return { problem: wanted.problem(problem, 'owner') };
    },
    async ofSet() {
      const usable = [await list({ state: 'active' }), await list({ state: 'disabled' })].flat();
      return usable.filter((key) => isOfSet(key, set));
    },
  };

  /** An admin key that has an owner makes keys of that owner. */
  function ownerOf({ spec }: Wanted): string | null {
    return typeof spec.owner === 'string' ? spec.owner : terms.owner;
  }

  function isAbout(wanted: Wanted, key: KeyAnswer): boolean {
    return wanted.kind === 'Key' && wanted.id === key.external_id && ownerOf(wanted) === key.owner;
  }

  /** All that are not revoked. */
  async function list(filters: Record<string, string>): Promise<KeyAnswer[]> {
    const found: KeyAnswer[] = [];
    const pages = { path: '/admin/api-keys', filters, item: keyAnswer };
    for await (const { data } of readPages(client, { all: true, pageSize: '1000' }, pages)) {
      found.push(...data.filter(({ state }) => state !== 'revoked'));
    }
    return found;
  }
}

export function isOfSet({ labels }: KeyAnswer, set: string): boolean {
  return labels[setLabel] === set;
}
