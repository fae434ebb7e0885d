import { createKeyIds, type KeyRecord } from '../keys/key.ts';
import type { Limit } from '../keys/limit.ts';
import type { Digester, Secret } from '../keys/secret.ts';
import { maskOf, mintSecret, type Scheme } from '../schemes/scheme.ts';

/** What a new key is to be; the rest of the record follows from it. */
export interface NewKey {
  readonly name: string;
  readonly scheme: Scheme;
  readonly environment: string;
  readonly owner: string | null;
  readonly permissions: readonly string[];
  readonly roles: readonly string[];
  readonly ipAllowlist: readonly string[];
  readonly principals: readonly string[];
  readonly plan: string | null;
  readonly rateLimits: readonly Limit[];
  readonly labels: Readonly<Record<string, string>>;
  readonly externalId: string | null;
  /** Unix milliseconds, null for never. */
  readonly expiresAt: number | null;
  /** Names the request, so that a retry of it makes no second key; null when it may. */
  readonly requestKey: string | null;
  /** Who makes it; null where nobody is known. */
  readonly createdBy: string | null;
}

/** What is known of a secret that was made elsewhere. */
export type KnownSecret = Pick<KeyRecord, 'digest' | 'prefix' | 'last4'>;

/** A key that is to be written, and the secret that nothing else holds. */
export interface Minted {
  readonly key: KeyRecord;
  readonly secret: Secret;
}

export interface Mint {
  /** A key that nobody has yet. Throws RangeError for an environment that the scheme has no keys for. */
  readonly mint: (wanted: NewKey, replaced?: KeyRecord) => Minted;
  /** The record of a key whose secret was made elsewhere. */
  readonly record: (wanted: NewKey, known: KnownSecret, replaced?: KeyRecord) => KeyRecord;
}

export function createMint(digester: Digester, now: () => number): Mint {
  const nextId = createKeyIds(now);
  return {
    record,
    mint(wanted, replaced) {
      const { scheme } = wanted;
      const minted = mintSecret(scheme, wanted.environment);
      if (minted === null) throw new RangeError(`the scheme ${scheme.name} has no keys for the environment`);
      const secret = minted.secret.reveal();
      const known = { ...maskOf(scheme, secret, minted.prefix), digest: digester.sign(secret) };
      return { key: record(wanted, known, replaced), secret: minted.secret };
    },
  };

  function record({ scheme, ...wanted }: NewKey, known: KnownSecret, replaced?: KeyRecord): KeyRecord {
    const [at, id] = [now(), nextId()];
    return {
      ...wanted,
      ...known,
      scheme: scheme.name,
      id,
      createdAt: at,
      updatedAt: at,
      lastUsedAt: null,
      ...{ disabledAt: null, revivedAt: null },
      revokedAt: null,
      rotatedFrom: replaced?.id ?? null,
      rotatedTo: null,
      importId: null,
      spender: replaced?.spender ?? id,
      version: 1,
    };
  }
}
