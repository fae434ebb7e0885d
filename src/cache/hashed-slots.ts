const shards = 64;
const placesMin = 16;

/** Of a power of two places, each a hash and a slot + 1; a place without a slot is empty. */
interface Shard {
  places: Int32Array;
  used: number;
}

/**
 * Finds slots by a hash: open addressing with linear probing, in numbers alone, so that a collection of garbage has
 * nothing to look at. Several slots may have one hash. A part of it grows at a time, so that nobody waits for all.
 */
export class HashedSlots {
  readonly #shards: readonly Shard[] = Array.from({ length: shards }, () => ({
    places: new Int32Array(2 * placesMin),
    used: 0,
  }));

  /** The first of the slots with that hash which is the one; -1 where none is. */
  find(hash: number, isIt: (slot: number) => boolean): number {
    const { places } = this.#shardOf(hash);
    for (let at = homeOf(hash, places); ; at = after(at, places)) {
      const slot = (places[at + 1] as number) - 1;
      if (slot === -1 || (places[at] === hash && isIt(slot))) return slot;
    }
  }

  add(hash: number, slot: number): void {
    const shard = this.#shardOf(hash);
    // Three quarters of it.
    if (8 * (shard.used + 1) > 3 * shard.places.length) grow(shard);
    shard.used++;
    place(shard.places, hash, slot + 1);
  }

  /** The slot must be there by that hash. */
  remove(hash: number, slot: number): void {
    const shard = this.#shardOf(hash);
    const { places } = shard;
    let gap = homeOf(hash, places);
    while (places[gap + 1] !== slot + 1) gap = after(gap, places);
    shard.used--;
    // What stands behind the gap and belongs before it moves up, so that every search still ends at an empty place.
    for (let at = after(gap, places); places[at + 1] !== 0; at = after(at, places)) {
      const home = homeOf(places[at] as number, places);
      const staysBehind = gap < at ? home > gap && home <= at : home > gap || home <= at;
      if (staysBehind) continue;
      places[gap] = places[at] as number;
      places[gap + 1] = places[at + 1] as number;
      gap = at;
    }
    places[gap + 1] = 0;
  }

  #shardOf(hash: number): Shard {
    return this.#shards[hash >>> 26] as Shard;
  }
}

function grow(shard: Shard): void {
  const { places: before } = shard;
  shard.places = new Int32Array(2 * before.length);
  for (let at = 0; at < before.length; at += 2) {
    const slotPlus1 = before[at + 1] as number;
    if (slotPlus1 !== 0) place(shard.places, before[at] as number, slotPlus1);
  }
}

function place(places: Int32Array, hash: number, slotPlus1: number): void {
  let at = homeOf(hash, places);
  while (places[at + 1] !== 0) at = after(at, places);
  places[at] = hash;
  places[at + 1] = slotPlus1;
}

function homeOf(hash: number, places: Int32Array): number {
  return (hash << 1) & (places.length - 1);
}

function after(at: number, places: Int32Array): number {
  return (at + 2) & (places.length - 1);
}
