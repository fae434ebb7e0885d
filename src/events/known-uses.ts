import { randomBytes } from 'node:crypto';
import { HashedSlots } from '../cache/hashed-slots.ts';
import type { AddressUse } from '../journal/journal-store.ts';
import { idBits } from '../keys/key.ts';
import { addressPlaces, createAddressPlaces } from '../store/usage/address-places.ts';

/** Which keys were used from which addresses, as far as it was told lately. */
export interface KnownUses {
  has(use: AddressUse): boolean;
  add(use: AddressUse): void;
}

/** Of an id, those by which ids differ: its last ones, 60 bits. */
const idCharacters = 12;
const numberBits = 30;

/**
 * Remembers from `usesMax` to twice as many, those that were asked for last, in 11 to 22 bytes each: of each a number of
 * 62 bits, since a million texts of ids would be fetched from all over the heap. One that was never told is taken for a
 * known one hardly ever, and from what address cannot be found out, since it differs by process.
 */
export function createKnownUses(usesMax: number): KnownUses {
  const secret = randomBytes(8);
  const [oneOdd, otherOdd] = [secret.readInt32LE(0) | 1, secret.readInt32LE(4) | 1];
  let [latest, before] = [new HashedSlots(), new HashedSlots()];
  let size = 0;
  let [one, other] = [0, 0];
  // Many uses are from few addresses.
  const ofAddresses = new Int32Array(2 * addressPlaces);
  const { placeOf } = createAddressPlaces((place, from) => {
    ofAddresses[2 * place] = hash(from, oneOdd);
    ofAddresses[2 * place + 1] = hash(from, otherOdd);
  });
  const isOther = (slot: number) => slot === other;

  return {
    has(use) {
      number(use);
      if (latest.find(one, isOther) >= 0) return true;
      if (before.find(one, isOther) < 0) return false;
      put();
      return true;
    },
    add(use) {
      number(use);
      if (latest.find(one, isOther) < 0) put();
    },
  };

  function put(): void {
    if (size >= usesMax) {
      [before, latest] = [latest, new HashedSlots()];
      size = 0;
    }
    latest.add(one, other);
    size++;
  }

  function number({ key, address: from }: AddressUse): void {
    const place = placeOf(from);
    const [ofOne, ofOther] = [ofAddresses[2 * place] as number, ofAddresses[2 * place + 1] as number];
    const end = key.length;
    const middle = end - idCharacters / 2;
    one = mix(idBits(key, middle, end) ^ ofOne);
    other = (idBits(key, middle - idCharacters / 2, middle) ^ ofOther) & (2 ** numberBits - 1);
  }
}

function hash(text: string, by: number): number {
  let bits = by;
  for (let at = 0; at < text.length; at++) {
    bits = Math.imul(bits ^ text.charCodeAt(at), by);
    bits ^= bits >>> 15;
  }
  return bits;
}

/** Its bits spread, each number to another one (the end of MurmurHash3). */
function mix(number: number): number {
  let bits = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
