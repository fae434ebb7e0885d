/** Bits of a hash by which pages are told apart at most; the others find the place in a page. */
const depthMax = 16;
const placesMin = 16;
/** Of one page: a million slots fill pages of this size to six tenths, twice as many as much again. */
const placesOfPage = 768;

/** Of places, each a hash and a slot + 1; a place without a slot is empty. Two words behind them count. */
type Page = Int32Array;

/**
 * Finds slots by a hash: open addressing with linear probing, in numbers alone, so that a collection of garbage has
 * nothing to look at. Several slots may have one hash. It grows by a page at a time, split in two (extendible hashing,
 * Fagin and others, 1979): nobody waits for all of it, and none of it is left behind for a collection of garbage, which
 * seldom comes for the sake of what lies outside the heap.
 */
export class HashedSlots {
  /** By the first bits of a hash. A page that has not been split as often as others stands here several times. */
  #pages: Page[] = [pageOf(placesMin, 0)];
  /** How many bits these are. */
  #depth = 0;

  /** The first of the slots with that hash which is the one; -1 where none is. */
  find(hash: number, isIt: (slot: number) => boolean): number {
    const page = this.#pageOf(hash);
    const end = endOf(page);
    for (let at = homeOf(hash, end); ; at = after(at, end)) {
      const slot = (page[at + 1] as number) - 1;
      if (slot === -1 || (page[at] === hash && isIt(slot))) return slot;
    }
  }

  add(hash: number, slot: number): void {
    let page = this.#pageOf(hash);
    while (isFull(page)) {
      this.#grow(hash, page);
      page = this.#pageOf(hash);
    }
    place(page, hash, slot + 1);
  }

  /** The slot must be there by that hash. */
  remove(hash: number, slot: number): void {
    const page = this.#pageOf(hash);
    const end = endOf(page);
    let gap = homeOf(hash, end);
    while (page[gap + 1] !== slot + 1) gap = after(gap, end);
    page[end] = (page[end] as number) - 1;
    // What stands behind the gap and belongs before it moves up, so that every search still ends at an empty place.
    for (let at = after(gap, end); page[at + 1] !== 0; at = after(at, end)) {
      const home = homeOf(page[at] as number, end);
      const staysBehind = gap < at ? home > gap && home <= at : home > gap || home <= at;
      if (staysBehind) continue;
      page[gap] = page[at] as number;
      page[gap + 1] = page[at + 1] as number;
      gap = at;
    }
    page[gap + 1] = 0;
  }

  #pageOf(hash: number): Page {
    return this.#pages[firstBits(hash, this.#depth)] as Page;
  }

  /** Splits a page once it has its size; one that cannot be told apart any further becomes larger. */
  #grow(hash: number, page: Page): void {
    const depth = depthOf(page);
    const places = endOf(page) / 2;
    if (places < placesOfPage || depth === depthMax) {
      const larger = pageOf(places < placesOfPage ? Math.min(2 * places, placesOfPage) : 2 * places, depth);
      moveAll(page, () => larger);
      this.#replace(hash, depth, [larger, larger]);
      return;
    }
    if (depth === this.#depth) {
      this.#pages = this.#pages.flatMap((each) => [each, each]);
      this.#depth++;
    }
    const halves = [pageOf(places, depth + 1), pageOf(places, depth + 1)] as const;
    moveAll(page, (moved) => halves[firstBits(moved, depth + 1) & 1] as Page);
    this.#replace(hash, depth, halves);
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
  const page = new Int32Array(2 * places + 2);
  page[2 * places + 1] = depth;
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
  return 8 * ((page[end] as number) + 1) > 3 * end;
}

function moveAll(from: Page, to: (hash: number) => Page): void {
  for (let at = 0; at < endOf(from); at += 2) {
    const [hash, slotPlus1] = [from[at] as number, from[at + 1] as number];
    if (slotPlus1 !== 0) place(to(hash), hash, slotPlus1);
  }
}

function place(page: Page, hash: number, slotPlus1: number): void {
  const end = endOf(page);
  let at = homeOf(hash, end);
  while (page[at + 1] !== 0) at = after(at, end);
  page[at] = hash;
  page[at + 1] = slotPlus1;
  page[end] = (page[end] as number) + 1;
}

function firstBits(hash: number, count: number): number {
  return count === 0 ? 0 : hash >>> (32 - count);
}

/** As far into its places as the last 16 bits of the hash are into theirs. */
function homeOf(hash: number, end: number): number {
  return (((hash & 0xffff) * (end >>> 1)) >>> 16) << 1;
}

function after(at: number, end: number): number {
  return at + 2 === end ? 0 : at + 2;
}
