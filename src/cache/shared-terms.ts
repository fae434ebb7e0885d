import type { CheckedKey, HeldUse, KeyId } from '../keys/key.ts';
import { type Limit, noLimits } from '../keys/limit.ts';

/** Different values of one kind that are shared; past it, what comes after is shared anew. */
const sharedMax = 10_000;

/** What many keys have in common; the spender is null for a key that spends its own units. */
export type Terms = Omit<CheckedKey, 'id' | 'name' | 'owner' | 'expiresAt' | 'spender' | keyof HeldUse> & {
  readonly spender: KeyId | null;
};

/** Makes keys small for a memory that holds many: what many have in common is held once. */
export interface SharedTerms {
  termsOf(record: CheckedKey): Terms;
  /** The text of the owner that all keys of it share. */
  ownerOf(record: CheckedKey): string | null;
  /** The key by itself, with what it shares. */
  share(record: CheckedKey): CheckedKey;
}

/**
 * A Check of a key then touches what the last one touched, not memory of its own, and finds by a list what was worked
 * out for another key that has the same.
 */
export function createSharedTerms(): SharedTerms {
  const texts = createShared<string>();
  const lists = createShared<readonly string[]>();
  const labels = createShared<CheckedKey['labels']>();
  const limits = createShared<readonly Limit[]>();
  const terms = createShared<Terms>();
  const shareText = (text: string) => texts(text, () => text);
  const shareTextOrNull = (text: string | null) => (text === null ? null : shareText(text));
  const shareList = (list: readonly string[]) => lists(JSON.stringify(list), () => list.map(shareText));

  let latest: { readonly record: CheckedKey; readonly terms: Terms } | null = null;

  return {
    termsOf,
    ownerOf: ({ owner }) => shareTextOrNull(owner),
    share(record) {
      const { id, name, owner, expiresAt, spender } = record;
      const own = termsOf(record);
      const shared = { ...own, id, name, owner: shareTextOrNull(owner), expiresAt, spender };
      // Memory asks for its terms next.
      latest = { record: shared, terms: own };
      return shared;
    },
  };

  function termsOf(record: CheckedKey): Terms {
    if (latest === null || !hasSameTerms(latest.record, record)) latest = { record, terms: find(record) };
    return latest.terms;
  }

  function find(record: CheckedKey): Terms {
    const { scheme, environment, permissions, roles, ipAllowlist, principals } = record;
    const { plan, rateLimits, disabledAt, revokedAt, version } = record;
    const spender = spenderOf(record);
    const all = [
      ...[scheme, environment, permissions, roles, ipAllowlist, principals, plan, rateLimits],
      record.labels,
    ];
    return terms(JSON.stringify([...all, disabledAt, revokedAt, spender, version]), () => ({
      scheme: shareText(scheme),
      environment: shareText(environment),
      permissions: shareList(permissions),
      roles: shareList(roles),
      ipAllowlist: shareList(ipAllowlist),
      principals: shareList(principals),
      plan: shareTextOrNull(plan),
      rateLimits: rateLimits.length === 0 ? noLimits : limits(JSON.stringify(rateLimits), () => rateLimits),
      labels: labels(JSON.stringify(record.labels), () => record.labels),
      ...{ disabledAt, revokedAt, spender, version },
    }));
  }
}

function spenderOf({ id, spender }: CheckedKey): KeyId | null {
  return spender === id ? null : spender;
}

/** Without a look into lists: true for keys of one page that came with terms in common, and seldom for others. */
function hasSameTerms(one: CheckedKey, other: CheckedKey): boolean {
  return (
    one.permissions === other.permissions &&
    one.roles === other.roles &&
    one.ipAllowlist === other.ipAllowlist &&
    one.principals === other.principals &&
    one.rateLimits === other.rateLimits &&
    one.labels === other.labels &&
    one.scheme === other.scheme &&
    one.environment === other.environment &&
    one.plan === other.plan &&
    one.disabledAt === other.disabledAt &&
    one.revokedAt === other.revokedAt &&
    one.version === other.version &&
    spenderOf(one) === spenderOf(other)
  );
}

/** The value that was made first for a name. */
function createShared<Value>(): (name: string, make: () => Value) => Value {
  const known = new Map<string, Value>();
  return (name, make) => {
    const shared = known.get(name);
    if (shared !== undefined) return shared;
    if (known.size >= sharedMax) known.clear();
    const made = make();
    known.set(name, made);
    return made;
  };
}
