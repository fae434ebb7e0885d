import { HashedSlots } from '../../cache/hashed-slots.ts';
import type { KeyId } from '../../keys/key.ts';
import { hashOfParsed, hashOfWords, parsed, textOf, words } from './id-words.ts';
import { namesMax } from './names.ts';

/** A row for each key, at a place that a number names, 32 bytes and what it takes to find them. */
export interface PendingRows {
  readonly size: number;
  /** The place of the id that is parsed; -1 for none. */
  seek(): number;
  /** Gives the id that is parsed a row of zeros. */
  add(): number;
  keyAt(place: number): KeyId;
  /** {@link allowedAt} or {@link denialsAt}: up to 2^32. */
  read(place: number, word: number): number;
  write(place: number, word: number, value: number): void;
  /** Of the last use, milliseconds since the hour began, and one; 0 for never. */
  sinceHourAt(place: number): number;
  /** The names of the reason, the address and what the key was; 0 for none. */
  reasonAt(place: number): number;
  addressAt(place: number): number;
  aboutPlaceAt(place: number): number;
  writeLast(place: number, sinceHour: number, reason: number): void;
  writeNames(place: number, address: number, about: number): void;
  /** By the keys, as their ids are sorted. */
  compare(one: number, other: number): number;
}

/** A row side by side, so that it is one read from far away: behind the id, allowed and denied uses, and what is packed. */
export const [allowedAt, denialsAt] = [words, words + 1];
const [lastAt, namesAt, rowWords] = [words + 2, words + 3, words + 4];
/** Beside the last use, which has 22 bits, is the name of the reason; the two other names have 16 bits each. */
const [reasonBits, nameBits] = [10, 16];
export const reasonsMax = 2 ** reasonBits - 1;
/** One array of all would be copied as a whole each time it grows, and left to a collection of garbage. */
const chunkRows = 1_024;
const startOf = (place: number) => (place % chunkRows) * rowWords;

export function createPendingRows(): PendingRows {
  let size = 0;
  const chunks: Int32Array[] = [];
  const index = new HashedSlots((place) => hashOfWords(chunkOf(place), startOf(place)));

  function isParsed(place: number): boolean {
    const [chunk, start] = [chunkOf(place), startOf(place)];
    for (let word = 0; word < words; word++) if (chunk[start + word] !== parsed[word]) return false;
    return true;
  }

  function chunkOf(place: number): Int32Array {
    return chunks[Math.trunc(place / chunkRows)] as Int32Array;
  }

  function read(place: number, word: number): number {
    return (chunkOf(place)[startOf(place) + word] as number) >>> 0;
  }

  function write(place: number, word: number, value: number): void {
    chunkOf(place)[startOf(place) + word] = value;
  }

  return {
    get size() {
      return size;
    },
    seek: () => index.find(hashOfParsed(), isParsed),
    add() {
      const place = size++;
      if (place % chunkRows === 0) chunks.push(new Int32Array(rowWords * chunkRows));
      chunkOf(place).set(parsed, startOf(place));
      index.add(hashOfParsed(), place);
      return place;
    },
    keyAt: (place) => textOf(chunkOf(place), startOf(place)),
    ...{ read, write },
    sinceHourAt: (place) => read(place, lastAt) >>> reasonBits,
    reasonAt: (place) => read(place, lastAt) & reasonsMax,
    addressAt: (place) => read(place, namesAt) >>> nameBits,
    aboutPlaceAt: (place) => read(place, namesAt) & namesMax,
    writeLast: (place, sinceHour, reason) => write(place, lastAt, (sinceHour << reasonBits) | reason),
    writeNames: (place, address, about) => write(place, namesAt, (address << nameBits) | about),
    compare(one, other) {
      for (let word = 0; word < words; word++) {
        const difference = read(one, word) - read(other, word);
        if (difference !== 0) return difference;
      }
      return 0;
    },
  };
}
