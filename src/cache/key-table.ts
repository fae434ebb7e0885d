import type { KeyId } from '../keys/key.ts';
import type { Digest } from '../keys/secret.ts';
import { sparedMax } from './bounded-cache.ts';
import { HashedSlots } from './hashed-slots.ts';

/** Of a SHA-256 in base64url. */
const digestLength = 43;
const charactersInWord = 5;
const digestWords = 9;
/** What a slot holds, in 32-bit words: the digest, its neighbours in the order in which they came, and a mark. */
const [newerAt, olderAt, visitedAt, slotWords] = [9, 10, 11, 12];
const chunkSlots = 1_024;
const none = -1;

/**
 * Keys by their digest, within a bound, by the same rule as `BoundedCache`. A digest is looked up by its bits: a Map would
 * hash all of a string that was made just now, intern it, and read three objects from all over the heap before it
 * has found the fourth. All but what is found lies in typed arrays, which no collection of garbage walks through.
 */
export class KeyTable<Value extends { readonly id: KeyId }> {
  readonly #max: number;
  #chunks: Int32Array[] = [];
  #values: (Value | undefined)[][] = [];
  /** Slots that were ever taken. */
  #taken = 0;
  #byDigest = new HashedSlots();
  #byId = new HashedSlots();
  #size = 0;
  #oldest = none;
  #newest = none;
  /** The one that the hand has passed last; none where it begins with the oldest. */
  #passed = none;
  /** Slots to be used again, each with the next in place of its newer neighbour. */
  #free = none;
  readonly #wanted = new Int32Array(digestWords);
  #wantedId = '';
  readonly #hasDigest = (slot: number): boolean => {
    const chunk = this.#chunkOf(slot);
    const start = startOf(slot);
    for (let word = 0; word < digestWords; word++) {
      if (chunk[start + word] !== this.#wanted[word]) return false;
    }
    return true;
  };
  readonly #hasId = (slot: number): boolean => this.#valueOf(slot)?.id === this.#wantedId;

  /** `max` is 1 or more. */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#size;
  }

  get(digest: Digest): Value | undefined {
    const slot = this.#find(digest);
    if (slot === none) return undefined;
    this.#chunkOf(slot)[startOf(slot) + visitedAt] = 1;
    return this.#valueOf(slot);
  }

  set(digest: Digest, value: Value): void {
    const known = this.#find(digest);
    if (known !== none) {
      this.#unname(known);
      this.#name(known, value);
      return;
    }
    if (this.#size >= this.#max) this.#makeRoom();
    const slot = this.#take();
    const chunk = this.#chunkOf(slot);
    const start = startOf(slot);
    chunk.set(this.#wanted, start);
    chunk[start + newerAt] = none;
    chunk[start + olderAt] = this.#newest;
    chunk[start + visitedAt] = 0;
    if (this.#newest === none) this.#oldest = slot;
    else this.#write(this.#newest, newerAt, slot);
    this.#newest = slot;
    this.#byDigest.add(hashOfWords(chunk, start), slot);
    this.#name(slot, value);
    this.#size++;
  }

  /** By whatever digests it was found. */
  forget(id: KeyId): void {
    this.#wantedId = id;
    const hash = hashOfText(id);
    for (;;) {
      const slot = this.#byId.find(hash, this.#hasId);
      if (slot === none) return;
      this.#remove(slot);
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#values = [];
    this.#taken = 0;
    this.#byDigest = new HashedSlots();
    this.#byId = new HashedSlots();
    this.#size = 0;
    this.#oldest = none;
    this.#newest = none;
    this.#passed = none;
    this.#free = none;
  }

  #find(digest: Digest): number {
    readDigest(digest, this.#wanted);
    return this.#byDigest.find(hashOfWords(this.#wanted, 0), this.#hasDigest);
  }

  #makeRoom(): void {
    for (let spared = 0; ; spared++) {
      const ahead = this.#passed === none ? this.#oldest : this.#read(this.#passed, newerAt);
      const slot = ahead === none ? this.#oldest : ahead;
      if (spared === sparedMax || this.#read(slot, visitedAt) === 0) {
        this.#passed = this.#read(slot, olderAt);
        this.#remove(slot);
        return;
      }
      this.#write(slot, visitedAt, 0);
      this.#passed = slot;
    }
  }

  #take(): number {
    const slot = this.#free;
    if (slot !== none) {
      this.#free = this.#read(slot, newerAt);
      return slot;
    }
    const next = this.#taken++;
    // A list of all would be copied as a whole each time it grows.
    if (next % chunkSlots === 0) {
      this.#chunks.push(new Int32Array(chunkSlots * slotWords));
      this.#values.push(new Array(chunkSlots).fill(undefined));
    }
    return next;
  }

  #remove(slot: number): void {
    const chunk = this.#chunkOf(slot);
    const start = startOf(slot);
    const newer = chunk[start + newerAt] as number;
    const older = chunk[start + olderAt] as number;
    this.#byDigest.remove(hashOfWords(chunk, start), slot);
    this.#unname(slot);
    if (newer === none) this.#newest = older;
    else this.#write(newer, olderAt, older);
    if (older === none) this.#oldest = newer;
    else this.#write(older, newerAt, newer);
    if (this.#passed === slot) this.#passed = older;
    chunk[start + newerAt] = this.#free;
    this.#free = slot;
    this.#size--;
  }

  #name(slot: number, value: Value): void {
    this.#valuesOf(slot)[slot % chunkSlots] = value;
    this.#byId.add(hashOfText(value.id), slot);
  }

  #unname(slot: number): void {
    this.#byId.remove(hashOfText((this.#valueOf(slot) as Value).id), slot);
    this.#valuesOf(slot)[slot % chunkSlots] = undefined;
  }

  #valueOf(slot: number): Value | undefined {
    return this.#valuesOf(slot)[slot % chunkSlots];
  }

  #valuesOf(slot: number): (Value | undefined)[] {
    return this.#values[Math.trunc(slot / chunkSlots)] as (Value | undefined)[];
  }

  #chunkOf(slot: number): Int32Array {
    return this.#chunks[Math.trunc(slot / chunkSlots)] as Int32Array;
  }

  #read(slot: number, word: number): number {
    return this.#chunkOf(slot)[startOf(slot) + word] as number;
  }

  #write(slot: number, word: number, value: number): void {
    this.#chunkOf(slot)[startOf(slot) + word] = value;
  }
}

function startOf(slot: number): number {
  return (slot % chunkSlots) * slotWords;
}

const sextets = new Uint8Array(128);
for (const [value, character] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
].entries())
  sextets[character.charCodeAt(0)] = value;

/**
 * The bits of a digest. The id of a pepper is left out: two digests that differ in nothing else would be the same
 * 256 bits by two keys.
 */
function readDigest(digest: Digest, into: Int32Array): void {
  let at = Math.max(0, digest.length - digestLength);
  for (let word = 0; word < digestWords; word++) {
    let bits = 0;
    for (const end = Math.min(at + charactersInWord, digest.length); at < end; at++)
      bits = (bits << 6) | (sextets[digest.charCodeAt(at) & 127] as number);
    into[word] = bits;
  }
}

/** A digest's bits are as good as random. */
function hashOfWords(words: Int32Array, start: number): number {
  return (words[start] as number) | ((words[start + 1] as number) << 30);
}

/** FNV-1a over the end, by which ids differ, with its bits spread (the end of MurmurHash3). */
function hashOfText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = Math.max(0, text.length - 16); at < text.length; at++)
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
