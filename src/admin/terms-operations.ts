import type { KeyPolicy } from '../check/policy.ts';
import type { Refusals } from '../events/refusals.ts';
import { changeDraft } from '../journal/journal.ts';
import { adminRead, adminWrite } from '../keys/admin-permissions.ts';
import { type KeyRule, lifeText, lifetimeDefaultOf, lifetimeMaxOf } from '../keys/key-rules.ts';
import type { Place, Scheme } from '../schemes/scheme.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import type { Call } from './call.ts';
import type { KeyTerms } from './keys/key-terms.ts';

/** Who calls, and what keys they may ask for. */
export interface Terms {
  /**
   * As in the journal: the id of the admin key, `POSTERN_ADMIN_KEY`, the name of a client certificate, `portal:{id}`,
   * `oidc:{sub}`.
   */
  readonly actor: string;
  /** `admin:read`, and `admin:write` where they may change things; of a portal session its own. */
  readonly permissions: readonly string[];
  /** The one owner whose keys they see and change; null for every owner's. */
  readonly owner: string | null;
  /** In the order of the configuration; the first is CreateKey's default. */
  readonly schemes: readonly SchemeTerms[];
  /** The longest life that a key surely may have by `key_rules`, as in `90d`; null for any. */
  readonly lifetime_max: string | null;
  /** That of a key for which none is asked, where a rule says one; null for none. */
  readonly lifetime_default: string | null;
  /** Whether a key may need an `ip_allowlist`. */
  readonly allowlist_required: boolean;
  /** Replicas that a change has to reach; null where nobody knows. */
  readonly replicas: number | null;
}

/** What a key of a scheme may be. */
export interface SchemeTerms {
  readonly name: string;
  /** The one of a key that names none comes first. */
  readonly environments: readonly string[];
  /** Empty where any name will do. */
  readonly plans: readonly string[];
  /** Its keys have no prefix: they are imported, and none is made. */
  readonly imports_only: boolean;
  /** Where they may sit in a request; the first is where they usually do. */
  readonly places: readonly SchemePlace[];
}

export interface SchemePlace {
  readonly in: Place['kind'];
  /** Of a header in lower case. */
  readonly name: string;
  /** The word before the key in a header; null for none. */
  readonly word: string | null;
}

export interface TermsOperations {
  /** For every admin key, whatever its owner. */
  getTerms(call: Call): Promise<Terms>;
  /** Journals that somebody signs in to the console, where that can be done; they may do no more for it than before. */
  signIn(call: Call): Promise<void>;
}

export function createTermsOperations({
  terms,
  policy,
  store,
  refusals,
}: {
  readonly refusals: Pick<Refusals, 'record'>;
  readonly store: Pick<Store, 'countReplicas'>;
  readonly terms: KeyTerms;
  /** What holds now. */
  readonly policy: () => Pick<KeyPolicy, 'keySchemes' | 'plans' | 'keyRules'>;
}): TermsOperations {
  return {
    async getTerms({ identity: { actor, owner, canWrite, portal } }) {
      const { keySchemes, plans, keyRules } = policy();
      const schemes = keySchemes.map((scheme) => ({
        name: scheme.name,
        environments: environmentsOf(scheme, terms.environmentOf(scheme)),
        plans: plans.known(scheme),
        imports_only: scheme.mint === null,
        places: scheme.places.map(placeOf),
      }));
      const permissions = portal ?? (canWrite ? [adminRead, adminWrite] : [adminRead]);
      return {
        actor,
        permissions,
        owner,
        schemes,
        ...lifeTerms(keyRules, owner),
        replicas: await countReplicas(),
      };
    },
    signIn: ({ identity: { owner }, origin }) =>
      refusals.record(changeDraft(origin, { target: null, owner, before: null, after: null })),
  };

  /** What may be asked for can be told while the store is away. */
  async function countReplicas(): Promise<number | null> {
    try {
      return await store.countReplicas();
    } catch (error) {
      if (error instanceof StoreUnavailable) return null;
      throw error;
    }
  }
}

/** By the narrowest of the rules that may hold for a key that the caller makes. */
function lifeTerms(rules: readonly KeyRule[], owner: string | null) {
  const may = rules.filter(({ match }) => owner === null || match.ownerBound !== false);
  const [most, chosen] = [lifetimeMaxOf(may), lifetimeDefaultOf(may)];
  return {
    lifetime_max: most === null ? null : lifeText(most),
    lifetime_default: chosen === null ? null : lifeText(chosen),
    allowlist_required: may.some(({ allowlistRequired }) => allowlistRequired),
  };
}

function placeOf(place: Place): SchemePlace {
  return { in: place.kind, name: place.name, word: place.kind === 'header' ? place.word : null };
}

function environmentsOf({ prefixes }: Scheme, first: string): string[] {
  return [...new Set([first, ...prefixes.map(({ environment }) => environment)])];
}
