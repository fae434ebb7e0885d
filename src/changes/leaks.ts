import { Failure } from '../failure.ts';
import { hashOfJson, type Origin } from '../journal/journal.ts';
import type { KeyId, KeyRecord } from '../keys/key.ts';
import type { Digester, Secret } from '../keys/secret.ts';
import { nullIfBad, type Settlement, type Store } from '../store/store.ts';
import type { createKeyChange, Visible } from './key-change.ts';
import { keyDraft } from './key-change.ts';

/** A secret that was found where it should not be. */
export interface LeakedSecret {
  readonly secret: Secret;
  /** Where it was found; null where that is not known. */
  readonly url: string | null;
  /** Who found it, or how; null where that is not known. */
  readonly source: string | null;
}

/**
 * Revokes the keys among these secrets, of whatever scheme, the last admin key too, and journals where each was
 * found. Takes and answers the same steps whether or not there were any.
 */
export type RevokeLeaked = (
  leaked: readonly LeakedSecret[],
  visible: Visible,
  origin: Origin,
) => Promise<Settlement>;

/** The same of one key, which came in clear text where `cleartext` says `revoke`. Waits for no replica. */
export type RevokeInClear = (id: KeyId) => Promise<void>;

/** Where a secret was found, as the journal has it. */
type Found = { readonly leaked: { readonly url: string | null; readonly source: string | null } };

const inClearOrigin: Origin = {
  ...{ actor: 'postern', action: 'ReportLeakedKeys', address: null, requestId: null },
};

export interface LeakDependencies {
  readonly store: Pick<Store, 'findKey' | 'appendJournal' | 'settle'>;
  readonly digester: Digester;
  readonly changeKey: ReturnType<typeof createKeyChange>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Secrets that are looked for at once. */
const findsMax = 8;

export function createLeakRevocation({ store, digester, changeKey, now }: LeakDependencies): {
  readonly revokeLeaked: RevokeLeaked;
  readonly revokeInClear: RevokeInClear;
} {
  return { revokeLeaked, revokeInClear };

  async function revokeInClear(id: KeyId): Promise<void> {
    const found = { leaked: { url: null, source: 'sent in clear text' } };
    await revokeFound(id, found, () => true, inClearOrigin);
  }

  async function revokeLeaked(
    leaked: readonly LeakedSecret[],
    visible: Visible,
    origin: Origin,
  ): Promise<Settlement> {
    const waiting = [...leaked];
    const failures: unknown[] = [];
    const work = async () => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        await revoke(one, visible, origin).catch((error: unknown) => failures.push(error));
      }
    };
    await Promise.all(Array.from({ length: findsMax }, work));
    // As many as could be are revoked by now.
    if (failures.length > 0) throw failures[0];
    return store.settle({ at: now() });
  }

  async function revoke(leak: LeakedSecret, visible: Visible, origin: Origin): Promise<void> {
    const key = await find(leak.secret);
    if (key === null || !visible(key)) return;
    await revokeFound(key.id, { leaked: placeOf(leak) }, visible, origin);
  }

  async function revokeFound(id: KeyId, found: Found, visible: Visible, origin: Origin): Promise<void> {
    try {
      const { key: current, commit } = await changeKey(
        id,
        visible,
        origin,
        (record, at) => (record.revokedAt === null ? { ...record, revokedAt: at } : null),
        { remark: found },
      );
      if (commit !== null) return;
      const draft = keyDraft(origin, current, current, { at: now(), remark: found });
      await store.appendJournal([{ ...draft, once: hashOfJson({ leak: id, ...found }) }]);
    } catch (error) {
      // Its record was purged meanwhile.
      if (!(error instanceof Failure && error.code === 'NOT_FOUND')) throw error;
    }
  }

  function find(secret: Secret): Promise<KeyRecord | null> {
    return store.findKey(digester.candidates(secret.reveal())).catch(nullIfBad);
  }
}

/** Where a secret was found, in texts without it. */
function placeOf({ secret, url, source }: LeakedSecret) {
  const text = secret.reveal();
  const without = (place: string | null) =>
    place?.replaceAll(text, '[secret]').replaceAll(encodeURIComponent(text), '[secret]') ?? null;
  return { url: without(url), source: without(source) };
}
