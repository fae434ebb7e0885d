import type { KeyId } from '../../keys/key.ts';

/** By which keys are spread: 32 bits, the same in every release, since what is stored lies by it. */
export function hashOf(key: KeyId): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}
