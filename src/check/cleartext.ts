import type { Keyring } from '../cache/keyring.ts';
import type { KeyId } from '../keys/key.ts';
import type { Digester } from '../keys/secret.ts';
import type { PresentedKey } from './credential.ts';

/** Tells of a key that was sent in clear text, once it is known to be one. Costs the Check no wait. */
export type NoteInClear = (presented: PresentedKey) => void;

export interface InClearDependencies {
  readonly keyring: Pick<Keyring, 'peek' | 'load'>;
  readonly digester: Digester;
  /** Revokes it as leaked. */
  readonly revoke: (id: KeyId) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Keys that are looked for and revoked at once; past it one is left to its next request. */
const underWayMax = 100;

/** Has each key that is sent in clear text revoked, once however many requests bring it meanwhile. */
export function createNoteInClear({ keyring, digester, revoke, onError }: InClearDependencies): NoteInClear {
  const underWay = new Set<string>();
  return (presented) => {
    const digest = digester.sign(presented.text);
    if (underWay.has(digest) || underWay.size >= underWayMax) return;
    underWay.add(digest);
    void revokeKnown(presented)
      .catch(onError)
      .finally(() => underWay.delete(digest));
  };

  async function revokeKnown({ scheme, text }: PresentedKey): Promise<void> {
    const digest = digester.sign(text);
    const key = keyring.peek(digest) ?? (await keyring.load(digest, digester.candidates(text), ''));
    if (key !== null && key.scheme === scheme.name && key.revokedAt === null) await revoke(key.id);
  }
}
