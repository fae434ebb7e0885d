/** Bits of a hash by which pages are told apart at most; the others find the place in a page. */
const depthMax = 16;
const placesMin = 16;
/** Of one page: a million slots fill pages of this size to six tenths, twice as many as much again. */
const placesOfPage = 768;

/** A slot + 1 in so many bits of a place, and the last ones of its hash in the others. */
const slotBits = 27;
const slotMask = 2 ** slotBits - 1;

/** Of places; 0 is an empty one. Two words behind them count. */
type Page = Int32Array;

/**
 * Finds slots, numbers below 2^27 - 1, by a hash: open addressing with linear probing, in numbers alone, so that a
 * collection of garbage has nothing to look at. Several slots may have one hash. Five bits of it are kept, which spare
 * most looks at a slot that is not the one; whoever has the slots knows the rest. It grows by a page at a time, split in
 * two (extendible hashing, Fagin and others, 1979): nobody waits for all of it, and none of it is left behind for a
 * collection of garbage, which seldom comes for the sake of what lies outside the heap.
 */
export class HashedSlots {
  /** By the first bits of a hash. A page that has not been split as often as others stands here several times. */
  #pages: Page[] = [pageOf(placesMin, 0)];
  /** How many bits these are. */
  #depth = 0;
  readonly #hashOf: (slot: number) => number;

  /** `hashOf` is asked of slots that were added and not removed, and says by what hash that was. */
  constructor(hashOf: (slot: number) => number) {
    this.#hashOf = hashOf;
  }

  /** The first slot with that hash which is the one; -1 where none is. `isIt` is asked of few others, of any hash. */
  find(hash: number, isIt: (slot: number) => boolean): number {
    const page = this.#pageOf(hash);
    const end = endOf(page);
    for (let at = homeOf(hash, end); ; at = after(at, end)) {
      const entry = page[at] as number;
      if (entry === 0) return -1;
      const slot = slotOf(entry);
      if (entry >>> slotBits === tagOf(hash) && isIt(slot)) return slot;
    }
  }

  add(hash: number, slot: number): void {
    let page = this.#pageOf(hash);
    while (isFull(page)) {
      this.#grow(hash, page);
      page = this.#pageOf(hash);
    }
    place(page, hash, entryOf(hash, slot));
  }

  /** The slot must be there by that hash. */
  remove(hash: number, slot: number): void {
    const page = this.#pageOf(hash);
    const end = endOf(page);
    const entry = entryOf(hash, slot);
    let gap = homeOf(hash, end);
    while (page[gap] !== entry) gap = after(gap, end);
    page[end] = (page[end] as number) - 1;
    // What stands behind the gap and belongs before it moves up, so that every search still ends at an empty place.
    for (let at = after(gap, end); page[at] !== 0; at = after(at, end)) {
      const home = homeOf(this.#hashOf(slotOf(page[at] as number)), end);
      const staysBehind = gap < at ? home > gap && home <= at : home > gap || home <= at;
      if (staysBehind) continue;
      page[gap] = page[at] as number;
      gap = at;
    }
    page[gap] = 0;
  }

  #pageOf(hash: number): Page {
    return this.#pages[firstBits(hash, this.#depth)] as Page;
  }

  /** Splits a page once it has its size; one that cannot be told apart any further becomes larger. */
  #grow(hash: number, page: Page): void {
    const depth = depthOf(page);
    const places = endOf(page);
    if (places < placesOfPage || depth === depthMax) {
      const larger = pageOf(places < placesOfPage ? Math.min(2 * places, placesOfPage) : 2 * places, depth);
      this.#moveAll(page, () => larger);
      this.#replace(hash, depth, [larger, larger]);
      return;
    }
    if (depth === this.#depth) {
      this.#pages = this.#pages.flatMap((each) => [each, each]);
      this.#depth++;
    }
    const halves = [pageOf(places, depth + 1), pageOf(places, depth + 1)] as const;
    this.#moveAll(page, (moved) => halves[firstBits(moved, depth + 1) & 1] as Page);
    this.#replace(hash, depth, halves);
  }

  #moveAll(from: Page, to: (hash: number) => Page): void {
    const end = endOf(from);
    for (let at = 0; at < end; at++) {
      const entry = from[at] as number;
      if (entry === 0) continue;
      const hash = this.#hashOf(slotOf(entry));
      place(to(hash), hash, entry);
    }
  }

  /** Wherever the page of that hash and depth stands, the first of two for one half of it and the other for the other. */
  #replace(hash: number, depth: number, [first, other]: readonly [Page, Page]): void {
    const count = 2 ** (this.#depth - depth);
    const start = firstBits(hash, depth) * count;
    this.#pages.fill(first, start, start + Math.ceil(count / 2));
    this.#pages.fill(other, start + Math.ceil(count / 2), start + count);
  }
}

function pageOf(places: number, depth: number): Page {
  const page = new Int32Array(places + 2);
  page[places + 1] = depth;
  return page;
}

/** Where its places end, and how many of them are taken is counted. */
function endOf(page: Page): number {
  return page.length - 2;
}

/** By how many bits its hashes are alike. */
function depthOf(page: Page): number {
  return page[page.length - 1] as number;
}

/** Three quarters of it. */
function isFull(page: Page): boolean {
  const end = endOf(page);
  return 4 * ((page[end] as number) + 1) > 3 * end;
}

function entryOf(hash: number, slot: number): number {
  return (tagOf(hash) << slotBits) | (slot + 1);
}

function slotOf(entry: number): number {
  return (entry & slotMask) - 1;
}

/** The bits that say least of where in its page a slot is. */
function tagOf(hash: number): number {
  return hash & (2 ** (32 - slotBits) - 1);
}

function place(page: Page, hash: number, entry: number): void {
  const end = endOf(page);
  let at = homeOf(hash, end);
  while (page[at] !== 0) at = after(at, end);
  page[at] = entry;
  page[end] = (page[end] as number) + 1;
}

function firstBits(hash: number, count: number): number {
  return count === 0 ? 0 : hash >>> (32 - count);
}

/** As far into its places as the last 16 bits of the hash are into theirs. */
function homeOf(hash: number, end: number): number {
  return ((hash & 0xffff) * end) >>> 16;
}

function after(at: number, end: number): number {
  return at + 1 === end ? 0 : at + 1;
}
