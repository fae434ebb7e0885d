import type { CheckedKey, KeyId } from '../keys/key.ts';
import type { Digest } from '../keys/secret.ts';
import { sparedMax } from './bounded-cache.ts';
import { HashedSlots } from './hashed-slots.ts';
import type { HeldKey } from './held-key.ts';
import { hashOfId } from './key-record.ts';
import { KeyRecords, startOf } from './key-records.ts';
import type { SharedTerms } from './shared-terms.ts';

/** Of a SHA-256 in base64url. */
const digestLength = 43;
const charactersInWord = 5;
const digestWords = 9;
/** What a record begins with: the digest, its neighbours in the order in which they came, and a mark. */
const [newerAt, olderAt, visitedAt] = [9, 10, 11];
const none = -1;

/**
 * Keys by their digest, within a bound, by the same rule as `BoundedCache`. A digest is looked up by its bits: a Map would
 * hash all of a string that was made just now, intern it, and read three objects from all over the heap before it
 * has found the fourth.
 */
export class KeyTable {
  readonly #max: number;
  readonly #terms: SharedTerms;
  #records: KeyRecords;
  #byDigest: HashedSlots;
  #byId: HashedSlots;
  #size = 0;
  #oldest = none;
  #newest = none;
  /** The one that the hand has passed last; none where it begins with the oldest. */
  #passed = none;
  readonly #wanted = new Int32Array(digestWords);
  #wantedId = '';
  readonly #hasDigest = (slot: number): boolean => {
    const words = this.#records.wordsOf(slot);
    const start = startOf(slot);
    for (let word = 0; word < digestWords; word++) {
      if (words[start + word] !== this.#wanted[word]) return false;
    }
    return true;
  };
  readonly #hasId = (slot: number): boolean => this.#records.idAt(slot) === this.#wantedId;
  readonly #digestHash = (slot: number): number => hashOfWords(this.#records.wordsOf(slot), startOf(slot));
  readonly #idHash = (slot: number): number => this.#records.idHashAt(slot);

  /** `max` is 1 or more. */
  constructor(max: number, terms: SharedTerms) {
    this.#max = max;
    this.#terms = terms;
    this.#records = new KeyRecords(terms);
    this.#byDigest = new HashedSlots(this.#digestHash);
    this.#byId = new HashedSlots(this.#idHash);
  }

  get size(): number {
    return this.#size;
  }

  get(digest: Digest): HeldKey | undefined {
    const slot = this.#find(digest);
    if (slot === none) return undefined;
    this.#write(slot, visitedAt, 1);
    return this.#records.keyAt(slot);
  }

  has(digest: Digest): boolean {
    return this.#find(digest) !== none;
  }

  set(digest: Digest, key: CheckedKey): void {
    const known = this.#find(digest);
    if (known !== none) this.#remove(known);
    if (this.#size >= this.#max) this.#makeRoom();
    const slot = this.#records.add(key);
    const words = this.#records.wordsOf(slot);
    const start = startOf(slot);
    words.set(this.#wanted, start);
    words[start + newerAt] = none;
    words[start + olderAt] = this.#newest;
    words[start + visitedAt] = 0;
    if (this.#newest === none) this.#oldest = slot;
    else this.#write(this.#newest, newerAt, slot);
    this.#newest = slot;
    this.#byDigest.add(hashOfWords(words, start), slot);
    this.#byId.add(hashOfId(key.id), slot);
    this.#size++;
  }

  /** By whatever digests it was found. */
  forget(id: KeyId): void {
    this.#wantedId = id;
    const hash = hashOfId(id);
    for (;;) {
      const slot = this.#byId.find(hash, this.#hasId);
      if (slot === none) return;
      this.#remove(slot);
    }
  }

  clear(): void {
    // Its own waits, where somebody counts with it.
    this.#records = new KeyRecords(this.#terms);
    this.#byDigest = new HashedSlots(this.#digestHash);
    this.#byId = new HashedSlots(this.#idHash);
    this.#size = 0;
    this.#oldest = none;
    this.#newest = none;
    this.#passed = none;
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

  #remove(slot: number): void {
    const words = this.#records.wordsOf(slot);
    const start = startOf(slot);
    const newer = words[start + newerAt] as number;
    const older = words[start + olderAt] as number;
    this.#byDigest.remove(this.#digestHash(slot), slot);
    this.#byId.remove(this.#idHash(slot), slot);
    if (newer === none) this.#newest = older;
    else this.#write(newer, olderAt, older);
    if (older === none) this.#oldest = newer;
    else this.#write(older, newerAt, newer);
    if (this.#passed === slot) this.#passed = older;
    this.#records.remove(slot);
    this.#size--;
  }

  #read(slot: number, word: number): number {
    return this.#records.wordsOf(slot)[startOf(slot) + word] as number;
  }

  #write(slot: number, word: number, value: number): void {
    this.#records.wordsOf(slot)[startOf(slot) + word] = value;
  }
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
