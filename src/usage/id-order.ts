import { setImmediate } from 'node:timers/promises';
import { type HeldKeys, idBits, type KeyId } from '../keys/key.ts';

/** Keys by their places, and what {@link orderOf} says of each. */
export interface Unordered {
  readonly heldBy: Pick<HeldKeys, 'idAt'>;
  readonly places: number[];
  readonly orders: number[];
}

/** Some of them, in order, with their ids. */
export interface InOrder {
  readonly places: readonly number[];
  readonly ids: readonly KeyId[];
}

/** In one part, about; sorting it is a fraction of a millisecond. */
const partSize = 1_000;
/** Keys that are put into their parts before others have the thread: a fraction of a millisecond. */
const keysAtOnce = 5_000;
/** Orders of one millisecond. */
const ordersInMs = 2 ** 15;
/** No id is older. From then on, milliseconds and what is beside them have room in a number until 2033; later ones are
 * in order but for a bit, which is put right as what is made in one millisecond is. */
const firstMs = Date.UTC(2025, 0, 1);

/**
 * A number that puts ids in the order of their texts, but for those that were made in one millisecond, which it nearly
 * does: a number is compared in a nanosecond, and does not have to be fetched from wherever its text is.
 */
export function orderOf(id: KeyId): number {
  const ms = idBits(id, 4, 8) * 2 ** 30 + idBits(id, 8, 14);
  return (ms - firstMs) * ordersInMs + idBits(id, id.length - 3, id.length);
}

/**
 * The places in the order of the ids of their keys, in parts of about as many as are looked at at once: all at once would hold the
 * thread for a tenth of a second. Each is sorted as it is asked for; null comes after the last.
 */
export async function inParts(unordered: Unordered): Promise<() => InOrder | null> {
  const { orders } = unordered;
  const { length } = orders;
  const count = Math.max(1, Math.ceil(length / partSize));
  const limits = limitsOf(orders, count);
  const parts = new Uint32Array(length);
  /** Where each part begins, of all that are in order. */
  const starts = new Uint32Array(count + 1);
  for (let at = 0; at < length; at++) {
    if (at % keysAtOnce === keysAtOnce - 1) await setImmediate();
    const part = partOf(orders[at] as number, limits);
    parts[at] = part;
    starts[part + 1] = (starts[part + 1] as number) + 1;
  }
  for (let part = 0; part < count; part++)
    starts[part + 1] = (starts[part + 1] as number) + (starts[part] as number);
  const order = new Uint32Array(length);
  const next = starts.slice();
  for (let at = 0; at < length; at++) {
    if (at % (4 * keysAtOnce) === 0) await setImmediate();
    const part = parts[at] as number;
    const place = next[part] as number;
    order[place] = at;
    next[part] = place + 1;
  }
  let part = 0;
  return () => {
    if (part === count) return null;
    const of = order.subarray(starts[part], starts[part + 1]);
    part++;
    return inOrder(of, unordered);
  };
}

/** Milliseconds that each part but the first begins with, so that all that was made in one is in one part. */
function limitsOf(orders: readonly number[], count: number): Float64Array {
  // Four samples for each part: parts then differ little.
  const samples = Float64Array.from(
    { length: 4 * count },
    (_, at) => orders[Math.floor((at * orders.length) / (4 * count))] as number,
  ).sort();
  return Float64Array.from(
    { length: count - 1 },
    (_, at) => Math.floor((samples[4 * (at + 1)] as number) / ordersInMs) * ordersInMs,
  );
}

/** How many limits it does not stand before. */
function partOf(order: number, limits: Float64Array): number {
  let [low, high] = [0, limits.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order < (limits[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function inOrder(order: Uint32Array<ArrayBuffer>, { heldBy, places, orders }: Unordered): InOrder {
  const part = { places: [] as number[], ids: [] as KeyId[] };
  let isInOrder = true;
  let last = '';
  for (const at of sorted(order, orders)) {
    const place = places[at] as number;
    const id = heldBy.idAt(place);
    if (id < last) isInOrder = false;
    last = id;
    part.places.push(place);
    part.ids.push(id);
  }
  return isInOrder ? part : sortedById(part);
}

function sortedById({ places, ids }: InOrder): InOrder {
  const all = ids.map((id, at) => ({ id, place: places[at] as number }));
  all.sort((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0));
  return { places: all.map(({ place }) => place), ids: all.map(({ id }) => id) };
}

/** By merging: a sort that calls a function for each two takes five times as long. */
function sorted(places: Uint32Array<ArrayBuffer>, orders: readonly number[]): Uint32Array {
  const { length } = places;
  let [from, into] = [places, new Uint32Array(length)];
  for (let run = 1; run < length; run *= 2) {
    for (let start = 0; start < length; start += 2 * run)
      merge(from, into, orders, {
        start,
        middle: Math.min(start + run, length),
        end: Math.min(start + 2 * run, length),
      });
    [from, into] = [into, from];
  }
  return from;
}

function merge(
  from: Uint32Array,
  into: Uint32Array,
  orders: readonly number[],
  { start, middle, end }: { readonly start: number; readonly middle: number; readonly end: number },
): void {
  let [left, right] = [start, middle];
  for (let at = start; at < end; at++) {
    const isLeft =
      right === end ||
      (left < middle &&
        (orders[from[left] as number] as number) <= (orders[from[right] as number] as number));
    into[at] = (isLeft ? from[left++] : from[right++]) as number;
  }
}
