import type { CheckedKey, HeldKeys, KeyId, TakenUse } from '../keys/key.ts';
import type { Writable } from '../store/usage/usage-tally.ts';
import { HeldKey } from './held-key.ts';
import {
  addressAt,
  chunkRecords,
  expiryMsAt,
  expirySpanAt,
  KeyChunk,
  lastUseAt,
  ownerAt,
  recordWords,
  references,
  requestRowAt,
  spanMs,
  stateAt,
  termsAt,
  useKindAt,
  usesAt,
} from './key-record.ts';
import type { SharedTerms, Terms } from './shared-terms.ts';

/** In the state of a place whose key is gone while its use waits to be taken; each key of a place has another state. */
const leaving = 1;
const none = -1;
/** Of keys that were found again soon so many are given out without another copy. */
const recentMax = 4_096;

/**
 * What memory holds of keys: a record of 128 bytes for each, in a place that a number names. As an object with texts of
 * its own a key would take twice that, be read from six places of the memory, and be looked at by each collection of
 * garbage.
 */
export class KeyRecords implements HeldKeys {
  readonly #terms: SharedTerms;
  readonly #chunks: KeyChunk[] = [];
  /** Places that were ever given. */
  #given = 0;
  /** Places to be used again, each with the next in its first word. */
  #free = none;

  readonly #taken: Writable<TakenUse> = {
    ...{ uses: 0, lastUse: 0, useKind: 0, useAddress: '', owner: null, scheme: '', environment: '' },
  };

  /** By the end of a place: the one that was copied last, and a copy of one that was so twice in a row. */
  readonly #found = new Int32Array(recentMax).fill(none);
  readonly #recent: (HeldKey | null)[] = new Array(recentMax).fill(null);

  constructor(terms: SharedTerms) {
    this.#terms = terms;
  }

  /** Of a record and those beside it, which begins where {@link startOf} says. */
  wordsOf(place: number): Int32Array {
    return this.#chunkOf(place).words;
  }

  /** Gives the key a place. */
  add(record: CheckedKey): number {
    const place = this.#take();
    const chunk = this.#chunkOf(place);
    const { words, shared } = chunk;
    const at = place % chunkRecords;
    const start = startOf(place);
    const { expiresAt } = record;
    const expirySpan = expiresAt === null ? 0 : Math.floor(expiresAt / spanMs);
    words[start + expirySpanAt] = expirySpan;
    words[start + expiryMsAt] = expiresAt === null ? -1 : expiresAt - expirySpan * spanMs;
    words[start + usesAt] = 0;
    words[start + requestRowAt] = none;
    shared[references * at + termsAt] = this.#terms.termsOf(record);
    shared[references * at + ownerAt] = this.#terms.ownerOf(record);
    chunk.writeTexts(at, record);
    return place;
  }

  /** The key that has the place. */
  keyAt(place: number): HeldKey {
    const at = place % recentMax;
    const recent = this.#recent[at];
    if (recent?.place === place && recent.isHeld) return recent;
    const key = new HeldKey(this, this.#chunkOf(place), place);
    // Where more keys than these are used in turn none is kept: what is kept costs a collection of garbage a copy.
    if (this.#found[at] === place) this.#recent[at] = key;
    else this.#found[at] = place;
    return key;
  }

  idAt(place: number): KeyId {
    return this.#chunkOf(place).idAt(place % chunkRecords);
  }

  idHashAt(place: number): number {
    return this.#chunkOf(place).idHashAt(place % chunkRecords);
  }

  /** Forgets the key: what waits of its use can still be taken, and then the place is given to another. */
  remove(place: number): void {
    const chunk = this.#chunkOf(place);
    const { words, accounts } = chunk;
    const start = startOf(place);
    if (accounts !== null) accounts[place % chunkRecords] = null;
    words[start + stateAt] = (words[start + stateAt] as number) + 2 * leaving;
    if (words[start + usesAt] === 0) this.#giveBack(chunk, place);
    else words[start + stateAt] = (words[start + stateAt] as number) + leaving;
  }

  takeUse(place: number): TakenUse {
    const chunk = this.#chunkOf(place);
    const { words, shared } = chunk;
    const start = startOf(place);
    const from = references * (place % chunkRecords);
    const { scheme, environment } = shared[from + termsAt] as Terms;
    const taken = this.#taken;
    taken.scheme = scheme;
    taken.environment = environment;
    taken.owner = shared[from + ownerAt] as string | null;
    taken.useAddress = shared[from + addressAt] as string;
    taken.uses = words[start + usesAt] as number;
    taken.lastUse = words[start + lastUseAt] as number;
    taken.useKind = words[start + useKindAt] as number;
    words[start + usesAt] = 0;
    shared[from + addressAt] = null;
    const state = words[start + stateAt] as number;
    if ((state & leaving) === 0) return taken;
    words[start + stateAt] = state + leaving;
    this.#giveBack(chunk, place);
    return taken;
  }

  #take(): number {
    const place = this.#free;
    if (place !== none) {
      this.#free = this.wordsOf(place)[startOf(place)] as number;
      return place;
    }
    const next = this.#given++;
    if (next % chunkRecords === 0) this.#chunks.push(new KeyChunk());
    return next;
  }

  #giveBack(chunk: KeyChunk, place: number): void {
    const at = place % chunkRecords;
    chunk.shared.fill(null, references * at, references * (at + 1));
    if (chunk.names !== null) chunk.names[at] = null;
    chunk.words[startOf(place)] = this.#free;
    this.#free = place;
  }

  #chunkOf(place: number): KeyChunk {
    return this.#chunks[Math.trunc(place / chunkRecords)] as KeyChunk;
  }
}

/** Where a record begins among the words of its chunk. */
export function startOf(place: number): number {
  return (place % chunkRecords) * recordWords;
}
