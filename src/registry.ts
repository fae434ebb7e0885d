import { Failure, invalidArgument, notFound } from './failure.ts';
import { createKeyIds, type KeyId, type KeyRecord, type RateLimit } from './key.ts';
import { isActive, type OwnerRecord } from './owner.ts';
import { mintSecret, type Scheme } from './scheme.ts';
import { type Digester, mask, type Secret } from './secret.ts';
import { type Commit, DuplicateKey, type Settlement, type Store } from './store.ts';

/** What a new key is to be; the rest of the record follows from it. */
export interface NewKey {
  readonly name: string;
  readonly scheme: Scheme;
  readonly environment: string;
  readonly owner: string | null;
  readonly permissions: readonly string[];
  readonly ipAllowlist: readonly string[];
  readonly plan: string | null;
  readonly rateLimit: RateLimit | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Unix milliseconds, null for never. */
  readonly expiresAt: number | null;
  /** Names the request, so that a retry of it makes no second key; null when it may. */
  readonly requestKey: string | null;
}

export interface Made {
  readonly key: KeyRecord;
  /** Null when an earlier request of the same name made the key: a secret exists once. */
  readonly secret: Secret | null;
}

export interface Narrowed extends Settlement {
  readonly key: KeyRecord;
}

/** What an owner is to be. */
export type NewOwner = Pick<OwnerRecord, 'id' | 'plan' | 'activeUntil' | 'suspended'>;

export interface PutOwner extends Settlement {
  readonly owner: OwnerRecord;
}

/** Every change of a key and of an owner. */
export interface Registry {
  /** FAILED_PRECONDITION when the owner is not active and no earlier request of the same name made the key. */
  create(wanted: NewKey): Promise<Made>;
  /** The first key of a store that never had one; null when it had. To be tried again after `StoreUnavailable`. */
  createFirst(wanted: NewKey): Promise<Made | null>;
  /** For good. A key that is revoked already stays as it is. */
  revoke(id: KeyId, visible: Visible): Promise<Narrowed>;
  disable(id: KeyId, visible: Visible): Promise<Narrowed>;
  enable(id: KeyId, visible: Visible): Promise<KeyRecord>;
  putOwner(wanted: NewOwner): Promise<PutOwner>;
}

/** Which keys the one who asks may know of; the others do not exist to them. */
export type Visible = (key: KeyRecord) => boolean;

export interface RegistryDependencies {
  readonly store: Pick<
    Store,
    | 'getKey'
    | 'getKeyByRequest'
    | 'insertKey'
    | 'insertFirstKey'
    | 'replaceKey'
    | 'getOwner'
    | 'putOwner'
    | 'settle'
  >;
  readonly digester: Digester;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export interface RegistryOptions {
  /** How long a key's record outlives its end. */
  readonly retentionMs: number;
}

/** A change that other changes of the same thing keep overtaking is given up after so many tries. */
const triesMax = 10;

export function createRegistry(dependencies: RegistryDependencies, options: RegistryOptions): Registry {
  const { store, digester, now } = dependencies;
  const { retentionMs } = options;
  const nextId = createKeyIds(now);
  let first: { readonly key: KeyRecord; readonly secret: Secret } | null = null;

  return {
    async create(wanted) {
      // Before all else: what came of the first try is true of the retry, whatever holds by now.
      const before = await madeBefore(wanted);
      if (before !== null) return before;
      await requireActive(wanted.owner);
      const made = make(wanted);
      try {
        await store.insertKey(made.key, retentionMs);
        return made;
      } catch (error) {
        const meanwhile = error instanceof DuplicateKey ? await madeBefore(wanted) : null;
        if (meanwhile === null) throw error;
        return meanwhile;
      }
    },
    async createFirst(wanted) {
      // The same record at each try: after an answer that was lost the store knows it again.
      first ??= make(wanted);
      return (await store.insertFirstKey(first.key, retentionMs)) ? first : null;
    },
    revoke: (id, visible) =>
      narrow(id, visible, (key, at) => (key.revokedAt === null ? { ...key, revokedAt: at } : null)),
    disable: (id, visible) =>
      narrow(id, visible, (key, at) => {
        refuseIfRevoked(key, 'disabled');
        return key.disabledAt === null ? { ...key, disabledAt: at } : null;
      }),
    async enable(id, visible) {
      const { key } = await change(id, visible, (current) => {
        refuseIfRevoked(current, 'enabled');
        return current.disabledAt === null ? null : { ...current, disabledAt: null };
      });
      return key;
    },
    async putOwner(wanted) {
      for (let tries = 0; tries < triesMax; tries++) {
        const current = await store.getOwner(wanted.id);
        const at = now();
        const version = current?.version ?? 0;
        const owner = { ...wanted, createdAt: current?.createdAt ?? at, updatedAt: at, version: version + 1 };
        const commit = await store.putOwner(owner, version);
        if (commit !== null) return { owner, ...(await store.settle(commit)) };
      }
      throw contention('owner');
    },
  };

  async function madeBefore({ requestKey }: NewKey): Promise<Made | null> {
    const key = requestKey === null ? null : await store.getKeyByRequest(requestKey);
    return key === null ? null : { key, secret: null };
  }

  async function requireActive(owner: string | null): Promise<void> {
    if (owner === null || isActive(await store.getOwner(owner), now())) return;
    throw new Failure('FAILED_PRECONDITION', 'OWNER_INACTIVE', 'The owner has no active subscription.');
  }

  function make(wanted: NewKey): { key: KeyRecord; secret: Secret } {
    const minted = mintSecret(wanted.scheme, wanted.environment);
    if (minted === null) {
      const known = wanted.scheme.prefixes.map((prefix) => prefix.environment).join(', ');
      const description = `the scheme ${wanted.scheme.name} has keys for: ${known}`;
      throw invalidArgument([{ field: 'environment', description }]);
    }
    const { secret, prefix } = minted;
    const at = now();
    const key: KeyRecord = {
      ...wanted,
      ...mask(secret.reveal(), prefix.text),
      scheme: wanted.scheme.name,
      id: nextId(),
      digest: digester.sign(secret.reveal()),
      createdAt: at,
      updatedAt: at,
      lastUsedAt: null,
      disabledAt: null,
      revokedAt: null,
      rotatedFrom: null,
      version: 1,
    };
    return { key, secret };
  }

  async function narrow(id: KeyId, visible: Visible, next: Change): Promise<Narrowed> {
    const { key, commit } = await change(id, visible, next);
    // Nothing to write is no proof that every replica has heard of it: an earlier answer may have been lost.
    return { key, ...(await store.settle(commit ?? { at: now() })) };
  }

  async function change(
    id: KeyId,
    visible: Visible,
    next: Change,
  ): Promise<{ key: KeyRecord; commit: Commit | null }> {
    for (let tries = 0; tries < triesMax; tries++) {
      const current = await store.getKey(id);
      if (current === null || !visible(current)) throw notFound('key');
      const at = now();
      const wanted = next(current, at);
      if (wanted === null) return { key: current, commit: null };
      const record = { ...wanted, updatedAt: at, version: current.version + 1 };
      const commit = await store.replaceKey(record, current.version, retentionMs);
      if (commit !== null) return { key: record, commit };
    }
    throw contention('key');
  }
}

/** The record as it is to be, by a change at that time; null when it is so already. */
type Change = (current: KeyRecord, at: number) => KeyRecord | null;

function refuseIfRevoked(key: KeyRecord, verb: string): void {
  if (key.revokedAt === null) return;
  throw new Failure(
    'FAILED_PRECONDITION',
    'KEY_REVOKED',
    `A revoked key can not be ${verb}; create a new one.`,
  );
}

function contention(kind: string): Failure {
  return new Failure(
    'ABORTED',
    'CONTENTION',
    `The ${kind} was changed by others at the same time; try again.`,
  );
}
