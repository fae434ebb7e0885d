import { crockford, idBits, type KeyId } from '../../keys/key.ts';

/** An id as numbers of 32 bits, the first of which come first. */
export const words = 4;
const idLength = 30;
const isId = /^key_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** Ids as they are made, 128 bits after their prefix, as numbers that compare as they do; one at a time. */
export const parsed = new Int32Array(words);

export function parse(key: KeyId): boolean {
  if (key.length !== idLength || !isId.test(key)) return false;
  // Of 26 digits of five bits: two of the first are none.
  const [first, second, third, fourth, last] = [
    ...[idBits(key, 4, 10), idBits(key, 10, 16), idBits(key, 16, 22), idBits(key, 22, 28)],
    idBits(key, 28, 30),
  ] as const;
  parsed[0] = (first << 4) | (second >>> 26);
  parsed[1] = (second << 6) | (third >>> 24);
  parsed[2] = (third << 8) | (fourth >>> 22);
  parsed[3] = (fourth << 10) | last;
  return true;
}

export function textOf(ids: Int32Array, start: number): KeyId {
  const [one, two] = [ids[start] as number, ids[start + 1] as number];
  const [three, four] = [ids[start + 2] as number, ids[start + 3] as number];
  const parts = [
    digitsOf(one >>> 4, 6),
    digitsOf(((one & 0xf) << 26) | (two >>> 6), 6),
    digitsOf(((two & 0x3f) << 24) | (three >>> 8), 6),
    digitsOf(((three & 0xff) << 22) | (four >>> 10), 6),
    digitsOf(four & 0x3ff, 2),
  ];
  return `key_${parts.join('')}` as KeyId;
}

function digitsOf(bits: number, count: number): string {
  let text = '';
  for (let shift = 5 * (count - 1); shift >= 0; shift -= 5) text += crockford[(bits >> shift) & 31];
  return text;
}

export function hashOfParsed(): number {
  return hashOfWords(parsed, 0);
}

export function hashOfWords(ids: Int32Array, start: number): number {
  let hash = 0;
  for (let word = 0; word < words; word++) {
    hash = Math.imul(hash ^ (ids[start + word] as number), 0x9e37_79b1);
    hash ^= hash >>> 15;
  }
  return hash;
}
