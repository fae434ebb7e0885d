import type { GetTermsRequest, KeyAdminServer } from '../gen/postern/admin/v1/key_admin.ts';
import type { MethodDependencies } from './unary.ts';

/** Who calls, and what keys they may ask for. */
export function createTermsMethods({
  admin,
  unary,
}: Pick<MethodDependencies, 'admin' | 'unary'>): Pick<KeyAdminServer, 'getTerms'> {
  return {
    getTerms: unary(async (caller, _: GetTermsRequest) => {
      const { actor, permissions, owner, schemes, replicas, ...life } = await admin.getTerms(caller);
      return {
        ...{ actor, permissions: [...permissions], owner: owner ?? '', replicas: replicas ?? undefined },
        lifetime_max: life.lifetime_max ?? undefined,
        lifetime_default: life.lifetime_default ?? undefined,
        allowlist_required: life.allowlist_required,
        schemes: schemes.map(({ name, environments, plans, imports_only, places }) => ({
          ...{ name, environments: [...environments], plans: [...plans], imports_only },
          places: places.map((place) => ({ ...place, word: place.word ?? '' })),
        })),
      };
    }),
  };
}
