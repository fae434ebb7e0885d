import type { CheckedKey, KeyId } from '../keys/key.ts';
import type { Terms } from './shared-terms.ts';

/**
 * Records in one chunk: a list of all would be copied as a whole each time it grows. What they have in common with others
 * is so large that V8 gives it pages of its own: with half as many records a quarter of a page was left empty.
 */
export const chunkRecords = 8_192;
/**
 * A record is so many words of 32 bits. The first twelve are for those who look for it; then come: when it expires, in
 * spans and milliseconds, of which less than 0 stands for never; what waits of its use; its row of the request log; which
 * of the keys that had the place it is; and its texts.
 */
export const recordWords = 32;
/** So long that 31 bits count those up to the last time that there is. */
export const spanMs = 2 ** 23;
export const [expirySpanAt, expiryMsAt, usesAt, lastUseAt, useKindAt, requestRowAt] = [
  ...([12, 13, 14, 15, 16, 17] as const),
];
export const stateAt = 18;
const [lengthsAt, textAt] = [19, 20];
/** In place of the length of a name that has no room in its record. */
const elsewhere = 0xff;
/** Of each record, what it has in common with others. */
export const [termsAt, ownerAt, addressAt, references] = [0, 1, 2, 3];

/** Records side by side, which are one thing for a collection of garbage. */
export class KeyChunk {
  readonly words = new Int32Array(chunkRecords * recordWords);
  readonly bytes = Buffer.from(this.words.buffer);
  readonly shared: (Terms | string | null)[] = new Array(references * chunkRecords).fill(null);
  /** Where the limits of keys are counted: made for the first key that has one. */
  accounts: unknown[] | null = null;
  /** Names that have no room in their records. */
  names: (string | null)[] | null = null;

  idAt(at: number): KeyId {
    const start = at * recordWords;
    const length = (this.words[start + lengthsAt] as number) & 0xff;
    const from = 4 * (start + textAt);
    return this.bytes.toString('latin1', from, from + length) as KeyId;
  }

  nameAt(at: number): string {
    const start = at * recordWords;
    const lengths = this.words[start + lengthsAt] as number;
    if (lengths >> 8 === elsewhere) return this.names?.[at] as string;
    const from = 4 * (start + textAt) + (lengths & 0xff);
    return this.bytes.toString('latin1', from, from + (lengths >> 8));
  }

  /** What {@link hashOfId} says of the id there; no text is made for it. */
  idHashAt(at: number): number {
    const start = at * recordWords;
    const from = 4 * (start + textAt);
    const end = from + ((this.words[start + lengthsAt] as number) & 0xff);
    let hash = firstHash;
    for (let byte = Math.max(from, end - hashedLength); byte < end; byte++)
      hash = hashWith(hash, this.bytes[byte] as number);
    return spread(hash);
  }

  writeTexts(at: number, { id, name }: CheckedKey): void {
    const start = at * recordWords;
    const [from, end] = [4 * (start + textAt), 4 * (start + recordWords)];
    if (!this.#write(id, from, end)) throw new RangeError('a key has an id that is none');
    const isHere = this.#write(name, from + id.length, end);
    this.words[start + lengthsAt] = id.length | ((isHere ? name.length : elsewhere) << 8);
    if (isHere) return;
    this.names ??= new Array(chunkRecords).fill(null);
    this.names[at] = name;
  }

  /** False where there is no room for it, or it has characters of more than one byte. */
  #write(text: string, from: number, end: number): boolean {
    if (from + text.length > end) return false;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code > 0xff) return false;
      this.bytes[from + at] = code;
    }
    return true;
  }
}

/** Of the end of an id, by which ids differ. */
const hashedLength = 16;
const firstHash = 0x811c9dc5;

/** FNV-1a, with its bits spread (the end of MurmurHash3). */
export function hashOfId(id: string): number {
  let hash = firstHash;
  for (let at = Math.max(0, id.length - hashedLength); at < id.length; at++)
    hash = hashWith(hash, id.charCodeAt(at));
  return spread(hash);
}

function hashWith(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}

function spread(bits: number): number {
  let hash = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
