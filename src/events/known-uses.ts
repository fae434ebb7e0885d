import { randomBytes } from 'node:crypto';
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

/**
 * Remembers from `usesMax` to twice as many, those that were asked for last, in 5.3 bytes each: of each a number of 32
 * bits near the place that another one says, since a million texts of ids would be fetched from all over the heap. One
 * that was never told is taken for a known one hardly ever, and from what address cannot be found out, since it differs
 * by process.
 */
export function createKnownUses(usesMax: number): KnownUses {
  const secret = randomBytes(8);
  const [oneOdd, otherOdd] = [secret.readInt32LE(0) | 1, secret.readInt32LE(4) | 1];
  // Of what no use has come to yet the machine has no memory.
  const places = Math.ceil((4 * usesMax) / 3) + 1;
  let [latest, before] = [new Int32Array(places), new Int32Array(1)];
  let size = 0;
  let [one, other] = [0, 0];
  // Many uses are from few addresses.
  const ofAddresses = new Int32Array(2 * addressPlaces);
  const { placeOf } = createAddressPlaces((place, from) => {
    ofAddresses[2 * place] = hash(from, oneOdd);
    ofAddresses[2 * place + 1] = hash(from, otherOdd);
  });

  return {
    has(use) {
      number(use);
      if (latest[seek(latest)] === other) return true;
      if (before[seek(before)] !== other) return false;
      put();
      return true;
    },
    add(use) {
      number(use);
      if (latest[seek(latest)] !== other) put();
    },
  };

  function put(): void {
    if (size >= usesMax) {
      [before, latest] = [latest, new Int32Array(places)];
      size = 0;
    }
    latest[seek(latest)] = other;
    size++;
  }

  /** Where it stands, or the empty place where it would: there is one always. */
  function seek(uses: Int32Array): number {
    let at = Math.floor(((one >>> 0) / 2 ** 32) * uses.length);
    while (uses[at] !== 0 && uses[at] !== other) at = at + 1 === uses.length ? 0 : at + 1;
    return at;
  }

  function number({ key, address: from }: AddressUse): void {
    const place = placeOf(from);
    const [ofOne, ofOther] = [ofAddresses[2 * place] as number, ofAddresses[2 * place + 1] as number];
    const end = key.length;
    const middle = end - idCharacters / 2;
    one = mix(idBits(key, middle, end) ^ ofOne);
    // With the end of the id in it, since all else of ids that were made at one time may be the same; 0 stands for none.
    other = mix(idBits(key, middle - idCharacters / 2, middle) ^ ofOther) ^ one || 1;
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
