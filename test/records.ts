import type { HeldKey } from '../src/cache/held-key.ts';
import { KeyTable } from '../src/cache/key-table.ts';
import { createSharedTerms } from '../src/cache/shared-terms.ts';
import type { NewOwner } from '../src/changes/owner-changes.ts';
import type { CheckedKey, KeyId, KeyRecord } from '../src/keys/key.ts';
import { createKeyIds } from '../src/keys/key.ts';
import type { OwnerRecord } from '../src/keys/owner.ts';
import { createDigester, type Digest } from '../src/keys/secret.ts';
import type { RateVerdict } from '../src/limits/verdict.ts';

const nextId = createKeyIds(() => Date.UTC(2030, 0, 1));
const digester = createDigester([]);

/** A key that is good for everything, apart from what is given. */
export function keyRecord(given: Partial<KeyRecord> = {}): KeyRecord {
  const id: KeyId = given.id ?? nextId();
  return {
    id,
    digest: digestOf(id),
    name: 'A key',
    scheme: 'postern',
    environment: 'live',
    prefix: 'pst_live_abcd',
    last4: 'wxyz',
    owner: null,
    permissions: [],
    roles: [],
    ipAllowlist: [],
    principals: [],
    plan: null,
    rateLimits: [],
    labels: {},
    createdAt: Date.UTC(2030, 0, 1),
    updatedAt: Date.UTC(2030, 0, 1),
    lastUsedAt: null,
    expiresAt: null,
    disabledAt: null,
    revokedAt: null,
    rotatedFrom: null,
    rotatedTo: null,
    spender: id,
    requestKey: null,
    externalId: null,
    createdBy: null,
    importId: null,
    revivedAt: null,
    version: 1,
    ...given,
  };
}

/** Puts keys into one memory, each by itself, and gives what a Check finds there. */
export function createHold(): (key: CheckedKey) => HeldKey {
  const table = new KeyTable(1_000_000, createSharedTerms());
  return (key) => {
    const digest = digestOf(`key ${table.size}`);
    table.set(digest, key);
    const held = table.get(digest);
    if (held === undefined) throw new Error('it is not held');
    return held;
  };
}

/** An owner that is active for good, apart from what is given. */
export function ownerRecord(given: Partial<OwnerRecord> = {}): OwnerRecord {
  return {
    id: 'acme',
    plan: null,
    activeUntil: null,
    suspended: false,
    name: null,
    contact: null,
    labels: {},
    billingAnchor: null,
    keysMax: null,
    createdAt: Date.UTC(2030, 0, 1),
    updatedAt: Date.UTC(2030, 0, 1),
    version: 1,
    ...given,
  };
}

/** What an owner is put as, good for everything, apart from what is given. */
export function newOwner(given: Partial<NewOwner> = {}): NewOwner {
  const { createdAt: _, updatedAt: __, version: ___, ...owner } = ownerRecord(given);
  return owner;
}

/** How a key stands with its limits, apart from what is given. */
export function rateVerdict(given: Partial<RateVerdict> = {}): RateVerdict {
  return {
    ...{
      isAllowed: true,
      name: 'default',
      limit: 9,
      remaining: 8,
      lengthSeconds: 60,
      resetAt: 1,
      retryAfter: 1,
    },
    ...{ limits: [], standings: () => [] },
    ...given,
  };
}

/** The digest of a secret with that text. */
export function digestOf(text: string): Digest {
  return digester.sign(text);
}
