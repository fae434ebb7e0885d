import type { CheckedKey, HeldUse, KeyId } from '../keys/key.ts';
import { type Limit, noLimits } from '../keys/limit.ts';

/** Different values of one kind that are shared; past it, what comes after is shared anew. */
const sharedMax = 10_000;
const hourMs = 3_600_000;

/** What many keys have in common; the spender is null for a key that spends its own units. */
type Terms = Omit<CheckedKey, 'id' | 'name' | 'owner' | 'expiresAt' | 'spender' | keyof HeldUse> & {
  readonly spender: KeyId | null;
};

/** What memory holds of a key: itself, and what it shares. */
class HeldKey implements CheckedKey, HeldUse {
  readonly id: KeyId;
  readonly name: string;
  readonly owner: string | null;
  /** In two small numbers, which stand in the key itself: a large one takes sixteen bytes elsewhere, and a read of them. */
  readonly #expiryHour: number;
  /** Since that hour began; below 0 for a key that does not expire. */
  readonly #expiryMs: number;
  uses = -1;
  lastUse = 0;
  useReason = '';
  useAddress = '';
  usePlan: string | null = null;
  account: unknown = null;
  requestRow = -1;
  readonly #terms: Terms;

  constructor({ id, name, expiresAt }: CheckedKey, owner: string | null, terms: Terms) {
    this.id = id;
    this.name = name;
    this.owner = owner;
    this.#expiryHour = expiresAt === null ? 0 : Math.floor(expiresAt / hourMs);
    this.#expiryMs = expiresAt === null ? -1 : (expiresAt - this.#expiryHour * hourMs) | 0;
    this.#terms = terms;
  }

  get expiresAt(): number | null {
    return this.#expiryMs < 0 ? null : this.#expiryHour * hourMs + this.#expiryMs;
  }

  get scheme(): string {
    return this.#terms.scheme;
  }

  get environment(): string {
    return this.#terms.environment;
  }

  get permissions(): readonly string[] {
    return this.#terms.permissions;
  }

  get roles(): readonly string[] {
    return this.#terms.roles;
  }

  get ipAllowlist(): readonly string[] {
    return this.#terms.ipAllowlist;
  }

  get principals(): readonly string[] {
    return this.#terms.principals;
  }

  get plan(): string | null {
    return this.#terms.plan;
  }

  get rateLimits(): readonly Limit[] {
    return this.#terms.rateLimits;
  }

  get labels(): CheckedKey['labels'] {
    return this.#terms.labels;
  }

  get disabledAt(): number | null {
    return this.#terms.disabledAt;
  }

  get revokedAt(): number | null {
    return this.#terms.revokedAt;
  }

  get spender(): KeyId {
    return this.#terms.spender ?? this.id;
  }

  get version(): number {
    return this.#terms.version;
  }
}

/**
 * Makes keys small for a memory that holds many: what a Check does not ask for is left out, and what many have in
 * common is held once. A key then takes a third of the bytes, and a Check touches what the last one touched, not
 * memory of its own.
 */
export function createHeldKeys(): (record: CheckedKey) => CheckedKey {
  const texts = createShared<string>();
  const lists = createShared<readonly string[]>();
  const labels = createShared<CheckedKey['labels']>();
  const limits = createShared<readonly Limit[]>();
  const terms = createShared<Terms>();
  const shareText = (text: string) => texts(text, () => text);
  const shareTextOrNull = (text: string | null) => (text === null ? null : shareText(text));
  const shareList = (list: readonly string[]) => lists(JSON.stringify(list), () => list.map(shareText));

  let latest: { readonly record: CheckedKey; readonly terms: Terms } | null = null;

  return (record) => {
    if (latest === null || !hasSameTerms(latest.record, record)) latest = { record, terms: termsOf(record) };
    return new HeldKey(record, shareTextOrNull(record.owner), latest.terms);
  };

  function termsOf(record: CheckedKey): Terms {
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
