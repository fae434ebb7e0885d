import type { KeyId } from '../../keys/key.ts';

/** An id as numbers of 30 bits: five characters each, 6 bits a character. */
export const words = 6;
const charactersOfWord = 5;
const idLength = 30;

/** Ids of 26 characters after their prefix, as numbers that compare as they do; one at a time. */
export const parsed = new Int32Array(words);

export function parse(key: KeyId): boolean {
  if (key.length !== idLength || !key.startsWith('key_')) return false;
  for (let word = 0, at = 4; word < words; word++) {
    let value = 0;
    for (let place = 0; place < charactersOfWord; place++, at++) {
      const code = at < idLength ? key.charCodeAt(at) : 0;
      // Digits and small letters, in the order of their codes; 0 is before them all.
      const digit =
        code === 0 ? 0 : code >= 48 && code <= 57 ? code - 47 : code >= 97 && code <= 122 ? code - 86 : -1;
      if (digit < 0) return false;
      value = (value << 6) | digit;
    }
    parsed[word] = value;
  }
  return true;
}

export function textOf(ids: Int32Array, start: number): KeyId {
  const codes: number[] = [];
  for (let at = 0; at < idLength - 4; at++) {
    const word = ids[start + Math.floor(at / charactersOfWord)] as number;
    const digit = (word >> (6 * (charactersOfWord - 1 - (at % charactersOfWord)))) & 63;
    codes.push(digit <= 10 ? digit + 47 : digit + 86);
  }
  return `key_${String.fromCharCode(...codes)}` as KeyId;
}

export function hashOfParsed(): number {
  let hash = 0;
  for (let word = 0; word < words; word++) {
    hash = Math.imul(hash ^ (parsed[word] as number), 0x9e37_79b1);
    hash ^= hash >>> 15;
  }
  return hash;
}
