import type { KeyId } from '../keys/key.ts';

/** Counts requests by key within an hour, for however many keys in the same memory. */
export interface HourCounts {
  /**
   * Answers how many there are now: never fewer than were counted, and more where many keys share a place. Null for an
   * hour that is before the two latest.
   */
  add(key: KeyId, hour: number, requests: number): number | null;
}

/** Places in a row: with 1 000 000 keys in use two of them share one, and hardly ever in both rows. */
const placesMax = 524_288;
/** What is kept of a key's hour stands at one place of each row, and the lower one is nearer the truth. */
interface Rows {
  hour: number;
  readonly one: Uint32Array;
  readonly other: Uint32Array;
}

/** A count-min sketch with conservative update: 4 MB for each of two hours, taken from the system as it is used. */
export function createHourCounts(places = placesMax): HourCounts {
  let latest: Rows | null = null;
  let former: Rows | null = null;

  function rowsOf(hour: number): Rows | null {
    if (latest?.hour === hour) return latest;
    if (former?.hour === hour) return former;
    const newest = latest?.hour ?? Number.NEGATIVE_INFINITY;
    if (hour < (former?.hour ?? Number.NEGATIVE_INFINITY)) return null;
    const rows = cleared(former, hour, places);
    if (hour > newest) [latest, former] = [rows, latest];
    else former = rows;
    return rows;
  }

  return {
    add(key, hour, requests) {
      const rows = rowsOf(hour);
      if (rows === null) return null;
      const { one, other } = rows;
      const mark = markOf(key);
      const [here, there] = [mark % places, Math.imul(mark ^ (mark >>> 15), 0x2c1b3c6d) >>> 0];
      const place = there % places;
      const before = Math.min(one[here] as number, other[place] as number);
      const now = Math.min(before + requests, 0xffff_ffff);
      one[here] = Math.max(one[here] as number, now);
      other[place] = Math.max(other[place] as number, now);
      return now;
    },
  };
}

function cleared(rows: Rows | null, hour: number, places: number): Rows {
  if (rows === null) return { hour, one: new Uint32Array(places), other: new Uint32Array(places) };
  rows.one.fill(0);
  rows.other.fill(0);
  rows.hour = hour;
  return rows;
}

/** FNV-1a of the end of the id, where it is random. */
function markOf(key: KeyId): number {
  let mark = 0x811c9dc5;
  for (let at = Math.max(0, key.length - 16); at < key.length; at++) {
    mark = Math.imul(mark ^ key.charCodeAt(at), 0x01000193);
  }
  mark = Math.imul(mark ^ (mark >>> 16), 0x7feb352d);
  return (mark ^ (mark >>> 15)) >>> 0;
}
