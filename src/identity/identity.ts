/**
 * Room `identity/`: The signed identity that upstreams are told. Here: the keys that sign it, their rotation, the JWKS,
 * and the tokens. Not here: which requests have one (`check/`), nor how a store keeps keys.
 */

import type { IdentityKeyStore } from '../store/records/identity-keys.ts';
import { keySetOf, rotateMs } from './key-set.ts';
import { type Jwk, jwkOf, makePrivateKey, type SigningKey } from './signing-key.ts';

/** The keys of identity tokens, as a fleet shares them or as settings give them. */
export interface IdentityKeys {
  /** Loads them, and makes the first where there is none; then looks at intervals. Resolves when they were loaded. */
  start(): Promise<void>;
  stop(): void;
  /** Loads them now, and makes another where the newest is old. */
  refresh(): Promise<void>;
  /** What verifiers fetch. */
  jwks(): { readonly keys: readonly Jwk[] };
}

export interface IdentityKeysDependencies {
  readonly store: IdentityKeyStore;
  /** Those of the settings: the first signs, all are published; where there are none the store has them. */
  readonly given: readonly string[];
  /** Told of the key that signs from now on, whenever it is another. */
  readonly onSigning: (key: SigningKey) => void;
  readonly onError: (error: unknown) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const refreshMs = 60_000;
/** Tries to make the first key while other replicas do, too. */
const triesMax = 3;

export function createIdentityKeys(
  { store, given, onSigning, onError, now }: IdentityKeysDependencies,
  { expiresInMs }: { readonly expiresInMs: number },
): IdentityKeys {
  let published: readonly Jwk[] = [];
  let signingKid: string | null = null;
  let timer: NodeJS.Timeout | null = null;

  return {
    async start() {
      timer ??= setInterval(() => void refresh().catch(onError), refreshMs).unref();
      await refresh();
    },
    stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
    refresh,
    jwks: () => ({ keys: published }),
  };

  async function refresh(): Promise<void> {
    if (given.length > 0) {
      take(given[0] as string, given);
      return;
    }
    const records = await withNewest();
    const { signing, published: shown, neededFrom } = keySetOf(records, { expiresInMs, now: now() });
    if (signing === null) return;
    take(
      signing.privateKey,
      shown.map(({ privateKey }) => privateKey),
    );
    if ((records[0]?.generation ?? neededFrom) < neededFrom) await store.removeIdentityKeysBefore(neededFrom);
  }

  /** Those of the store; whoever comes first makes the first, and another where the newest is old. */
  async function withNewest() {
    for (let tries = 0; ; tries++) {
      const records = await store.listIdentityKeys();
      const newest = records.at(-1);
      if (newest !== undefined && (newest.createdAt + rotateMs > now() || tries >= triesMax)) return records;
      if (tries >= triesMax) throw new Error('the store keeps no key for identity tokens');
      const generation = (newest?.generation ?? 0) + 1;
      await store.addIdentityKey({ generation, privateKey: makePrivateKey(), createdAt: now() });
    }
  }

  function take(signing: string, all: readonly string[]): void {
    published = all.map(jwkOf);
    const { kid } = jwkOf(signing);
    if (kid === signingKid) return;
    signingKid = kid;
    onSigning({ kid, privateKey: signing });
  }
}
