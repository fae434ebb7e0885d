import type { KeyId, KeyRecord } from '../src/keys/key.ts';
import { createKeyIds } from '../src/keys/key.ts';
import type { OwnerRecord } from '../src/keys/owner.ts';
import { createDigester, type Digest } from '../src/keys/secret.ts';

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
    ipAllowlist: [],
    plan: null,
    rateLimit: null,
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
    createdBy: null,
    importId: null,
    version: 1,
    ...given,
  };
}

/** An owner that is active for good, apart from what is given. */
export function ownerRecord(given: Partial<OwnerRecord> = {}): OwnerRecord {
  return {
    id: 'acme',
    plan: null,
    activeUntil: null,
    suspended: false,
    createdAt: Date.UTC(2030, 0, 1),
    updatedAt: Date.UTC(2030, 0, 1),
    version: 1,
    ...given,
  };
}

/** The digest of a secret with that text. */
export function digestOf(text: string): Digest {
  return digester.sign(text);
}
